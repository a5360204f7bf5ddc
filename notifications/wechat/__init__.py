"""WeChat's server API. The mini-program never sees what is kept here: secret, access token, session key."""
