"""The settlement guard (发货信息管理): WeChat is told of shipping, once, so that the merchant's money is released."""
