/** The shapes of the API under the names they have in it; `schema.d.ts` is generated from the published description. */
import type { components } from "./schema";

type Schemas = components["schemas"];

export type OrderDocument = Schemas["OrderDocument"];
export type OrderSummary = Schemas["OrderSummary"];
export type OrderPage = Schemas["OrderPage"];
export type OrderStatus = Schemas["OrderStatus"];
export type Shipment = Schemas["Shipment"];
export type ShipmentStatus = Schemas["ShipmentStatus"];
export type TrackingEvent = Schemas["TrackingEvent"];
export type Milestone = Schemas["Milestone"];
export type Line = Schemas["Line"];
export type Eta = Schemas["Eta"];
export type EtaBasis = Schemas["EtaBasis"];
export type AlertShown = Schemas["AlertShown"];
export type AlertKind = Schemas["AlertKind"];
export type TemperatureClass = Schemas["TemperatureClass"];
export type Counts = Schemas["Counts"];
export type Statuses = Schemas["Statuses"];
export type Refreshed = Schemas["Refreshed"];
export type Login = Schemas["Login"];
export type SmsCodeSent = Schemas["SmsCodeSent"];
export type Me = Schemas["Me"];
export type Shop = Schemas["Shop"];
export type Advised = Schemas["Advised"];
export type AdvisedTemplate = Schemas["AdvisedTemplate"];
export type Grant = Schemas["Grant"];
export type Balances = Schemas["Balances"];
export type OptOuts = Schemas["OptOuts"];
export type WechatComponents = Schemas["WechatComponents"];
export type ConfirmComponent = Schemas["ConfirmComponent"];
export type ErrorCode = Schemas["ErrorDetail"]["code"];
