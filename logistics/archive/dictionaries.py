"""What nearly every body says, for the packer. A dictionary is never changed: what it packed needs it for ever."""

_FIRST = (
    '"carrier","kdniao","system","已处理","recovered","shop","key:demo","placed","paid","shipped","deli'
    'vered","in_transit","out_for_delivery","picked_up","awaiting_pickup","frozen",【】快件已揽收到达离'
    '开发往正在派送已签收您的包裹感谢使用分拨中心转运中心营业部，签收人：本人","000000", null, "", 0, 1'
    '{"columns":{"orders_order":["id","order_no","customer_id","status","placed_at","paid_at","shipped_'
    'at","in_transit_at","delivered_at","cancelled_at","refunded_at","returned_at","promised_by","not_s'
    'hipped_after","total_fen","freight_fen","discount_fen","transaction_id","mchid","out_trade_no","co'
    'mbine_mchid","combine_out_trade_no","province","city","district","lines_summary","source_updated_a'
    't","version","recorded_at","updated_at"],"orders_orderline":["id","order_id","position","sku","nam'
    'e","quantity","unit_price_fen","category","temperature_class"],"orders_orderevent":["id","order_id'
    '","kind","from_status","to_status","occurred_at","recorded_at","source","actor","reason","referenc'
    'e","amount_fen"],"orders_alert":["id","kind","subject","order_id","open_key","severity","detail","'
    'incident_id","occurred_at","opened_at","due_at","owner_id","snoozed_until","resolved_at","resolved'
    '_by","resolution","outcome"],"orders_alertnote":["id","alert_id","author","text","written_at"],"lo'
    'gistics_shipment":["id","carrier_id","waybill_no","waybill_reversed","generation","status","status'
    '_code","status_at","location","temperature_class","shipped_at","picked_up_at","in_transit_at","del'
    'ivered_at","returned_at","last_event_at","event_count","voided_at","void_reason","reason","origin"'
    ',"destination","eta_earliest","eta_likely","eta_latest","eta_confidence","eta_basis","eta_explanat'
    'ion","late_probability","delayed_since","provider_eta_at","provider_eta_by","next_poll_at","checke'
    'd_at","subscribed_at","stale_after","stale_since","recheck_at","recorded_at","updated_at"],"logist'
    'ics_shipmentorder":["id","shipment_id","order_id","linked_at"],"logistics_shipmentline":["id","lin'
    'k_id","order_line_id","quantity"],"logistics_trackingevent":["id","shipment_id","key","provider","'
    'overall","weak","repeat","status","code","reason","occurred_at","recorded_at","text","location"],"'
    'logistics_subscription":["id","shipment_id","provider","subscribed_at","ended_at","detail","correc'
    'ted_carrier_code"],"logistics_driverlink":["id","shipment_id","digest","created_at","created_by","'
    'expires_at","revoked_at"]},"rows":{'
)

DICTIONARIES = {1: _FIRST.encode()}
NEWEST = 1
