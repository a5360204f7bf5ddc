"""How far two places of China are apart, as roughly as a carrier's price list tells them apart."""

from enum import StrEnum


class Distance(StrEnum):
    SAME_CITY = "same_city"
    SAME_PROVINCE = "same_province"
    NEIGHBOURING = "neighbouring"
    FAR = "far"
    REMOTE = "remote"
    UNKNOWN = "unknown"


NEIGHBOURS: dict[str, str] = {
    "北京": "天津 河北",
    "天津": "北京 河北",
    "河北": "北京 天津 山西 内蒙古 辽宁 山东 河南",
    "山西": "河北 内蒙古 河南 陕西",
    "内蒙古": "黑龙江 吉林 辽宁 河北 山西 陕西 宁夏 甘肃",
    "辽宁": "吉林 内蒙古 河北",
    "吉林": "黑龙江 内蒙古 辽宁",
    "黑龙江": "吉林 内蒙古",
    "上海": "江苏 浙江",
    "江苏": "上海 浙江 安徽 山东",
    "浙江": "上海 江苏 安徽 江西 福建",
    "安徽": "江苏 浙江 江西 湖北 河南 山东",
    "福建": "浙江 江西 广东",
    "江西": "浙江 福建 广东 湖南 湖北 安徽",
    "山东": "河北 河南 安徽 江苏",
    "河南": "河北 山西 陕西 湖北 安徽 山东",
    "湖北": "河南 安徽 江西 湖南 重庆 陕西",
    "湖南": "湖北 江西 广东 广西 贵州 重庆",
    "广东": "福建 江西 湖南 广西 海南",
    "广西": "广东 湖南 贵州 云南",
    "海南": "广东",
    "重庆": "湖北 湖南 贵州 四川 陕西",
    "四川": "重庆 贵州 云南 西藏 青海 甘肃 陕西",
    "贵州": "四川 重庆 湖南 广西 云南",
    "云南": "四川 贵州 广西 西藏",
    "西藏": "四川 云南 青海 新疆",
    "陕西": "山西 河南 湖北 重庆 四川 甘肃 宁夏 内蒙古",
    "甘肃": "陕西 四川 青海 新疆 宁夏 内蒙古",
    "青海": "甘肃 四川 西藏 新疆",
    "宁夏": "陕西 甘肃 内蒙古",
    "新疆": "西藏 青海 甘肃",
    "香港": "广东",
    "澳门": "广东",
    "台湾": "福建",
}
REMOTE = frozenset({"西藏", "新疆", "青海", "内蒙古", "香港", "澳门", "台湾"})

# Where parcels of food mostly start and end, so that a scan that names a city alone is placed.
CITIES: dict[str, str] = {
    "河北": "石家庄 唐山 秦皇岛 邯郸 邢台 保定 张家口 承德 沧州 廊坊 衡水",
    "山西": "太原 大同 长治 晋城 晋中 运城 忻州 临汾 吕梁",
    "内蒙古": "呼和浩特 包头 赤峰 通辽 鄂尔多斯 呼伦贝尔",
    "辽宁": "沈阳 大连 鞍山 抚顺 本溪 丹东 锦州 营口 阜新 辽阳 盘锦 铁岭 葫芦岛",
    "吉林": "长春 四平 辽源 通化 松原 延边",
    "黑龙江": "哈尔滨 齐齐哈尔 鸡西 大庆 佳木斯 牡丹江 绥化",
    "江苏": "南京 无锡 徐州 常州 苏州 南通 连云港 淮安 盐城 扬州 镇江 泰州 宿迁 昆山",
    "浙江": "杭州 宁波 温州 嘉兴 湖州 绍兴 金华 衢州 舟山 台州 丽水 义乌",
    "安徽": "合肥 芜湖 蚌埠 淮南 马鞍山 安庆 滁州 阜阳 宿州 六安 亳州",
    "福建": "福州 厦门 莆田 三明 泉州 漳州 南平 龙岩 宁德",
    "江西": "南昌 景德镇 九江 赣州 吉安 宜春 抚州 上饶",
    "山东": "济南 青岛 淄博 枣庄 东营 烟台 潍坊 济宁 泰安 威海 日照 临沂 德州 聊城 滨州 菏泽",
    "河南": "郑州 开封 洛阳 平顶山 安阳 新乡 焦作 许昌 漯河 南阳 商丘 信阳 周口 驻马店",
    "湖北": "武汉 黄石 十堰 宜昌 襄阳 鄂州 荆门 孝感 荆州 黄冈 咸宁 恩施",
    "湖南": "长沙 株洲 湘潭 衡阳 邵阳 岳阳 常德 张家界 益阳 郴州 永州 怀化",
    "广东": "广州 深圳 珠海 汕头 佛山 韶关 湛江 肇庆 江门 茂名 惠州 梅州 清远 东莞 中山 潮州 揭阳",
    "广西": "南宁 柳州 桂林 梧州 北海 钦州 玉林",
    "海南": "海口 三亚 儋州",
    "四川": "成都 自贡 泸州 德阳 绵阳 广元 遂宁 内江 乐山 南充 眉山 宜宾 达州",
    "贵州": "贵阳 六盘水 遵义 安顺 毕节 铜仁",
    "云南": "昆明 曲靖 玉溪 昭通 丽江 普洱 大理 红河",
    "西藏": "拉萨 日喀则",
    "陕西": "西安 铜川 宝鸡 咸阳 渭南 延安 汉中 榆林 安康",
    "甘肃": "兰州 天水 武威 张掖 酒泉 庆阳",
    "青海": "西宁 海东",
    "宁夏": "银川 石嘴山 吴忠",
    "新疆": "乌鲁木齐 克拉玛依 吐鲁番 哈密 喀什 伊犁",
}
_PROVINCE_OF = {city: province for province, cities in CITIES.items() for city in cities.split()}


def province_of(text: str) -> str | None:
    """Return the short name of the province that a place stands in, as far as its text says."""
    for name in NEIGHBOURS:
        if text.startswith(name):
            return name
    return next((province for city, province in _PROVINCE_OF.items() if city in text), None) or next(
        (name for name in NEIGHBOURS if name in text), None
    )


def city_of(text: str) -> str | None:
    """Return the short name of the city that a place stands in, as far as its text says; a municipality is one."""
    municipality = next((name for name in ("北京", "天津", "上海", "重庆") if text.startswith(name)), None)
    return municipality or next((city for city in _PROVINCE_OF if city in text), None)


def distance(origin: str, province: str, city: str) -> Distance:
    """Return how far it is from a scan's place to a consignee's province and city."""
    start, end = province_of(origin), province_of(province) or province_of(city)
    if end in REMOTE and start != end:
        return Distance.REMOTE
    if start is None or end is None:
        return Distance.UNKNOWN
    if start == end:
        town = city.removesuffix("市")
        return Distance.SAME_CITY if town and town in origin else Distance.SAME_PROVINCE
    return Distance.NEIGHBOURING if end in NEIGHBOURS[start].split() else Distance.FAR
