# Runs once, when the database is made: the account for backups (BACKUP_DATABASE_URL), which reads all and writes one table.
# It needn't be there yet: CREATE stands beside INSERT for that.
docker_process_sql <<SQL
CREATE USER 'backup'@'%' IDENTIFIED BY '$(cat /run/secrets/MYSQL_BACKUP_PASSWORD)';
GRANT RELOAD, PROCESS, LOCK TABLES, BINLOG MONITOR, REPLICATION SLAVE, SELECT, SHOW VIEW, TRIGGER, EVENT ON *.* TO 'backup'@'%';
GRANT INSERT, UPDATE, CREATE ON frozenshop.kernel_jobrun TO 'backup'@'%';
SQL
