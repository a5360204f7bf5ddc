// Runs once, when the database is made: the account of MONGODB_URL, which may do nothing outside its database.
db.getSiblingDB("frozenshop").createUser({
  user: "frozenshop",
  pwd: require("fs").readFileSync("/run/secrets/MONGODB_PASSWORD", "utf8").trim(),
  roles: ["readWrite", "dbAdmin"],
});
