/**
 * rxnf: stateless network functions as reactive streams of packet batches.
 *
 * A {@link networkFunction} is a pipeline of operators over an observable of {@link PacketBatch}; its
 * state lives in {@link table | tables} of a store, never in the function. {@link openLane} runs one
 * over ports. See README.md for a NAT in fifteen lines.
 */
import './streams/long-pipes.ts';

export type { NativePool, PortCounters } from './native.ts';
export { nat } from './nfs/nat/nat.ts';
export type {
  NatOptions,
  NatPrefix6,
  NatRoute,
  NatRoute6,
  NatTimeouts,
  Prefix,
} from './nfs/nat/options.ts';
export {
  chain,
  type NetworkFunction,
  networkFunction,
  openLane,
  type Pipeline,
} from './nfs/network-function.ts';
export { applyEdits } from './operators/apply-edits.ts';
export { type Arm, type Arms, branch } from './operators/branch.ts';
export { countPackets } from './operators/count-packets.ts';
export { dropRows } from './operators/drop-rows.ts';
export { dropWhen } from './operators/drop-when.ts';
export { type ExpressOptions, type ExpressTranslation, express } from './operators/express.ts';
export {
  type ExpressLookup,
  type ExpressLookupOptions,
  expressLookup,
} from './operators/express-lookup.ts';
export { forwardTo } from './operators/forward-to.ts';
export { type LookupOptions, lookupState } from './operators/lookup-state.ts';
export { type BatchSummary, observe } from './operators/observe.ts';
export { type ParseOptions, parse } from './operators/parse.ts';
export type { PacketPredicate } from './operators/predicate.ts';
export { reserveState } from './operators/reserve-state.ts';
export {
  neighbourTable,
  type Route,
  type RouteException,
  type RouteOptions,
  route,
} from './operators/route.ts';
export { type PacketView, samplePackets } from './operators/sample-packets.ts';
export { type Decide, type TransformOptions, transform } from './operators/transform.ts';
export { type TranslateOptions, translate } from './operators/translate.ts';
export { type WriteOptions, writeState } from './operators/write-state.ts';
export type { Looked, RecordAccess } from './state/cursor.ts';
export { type MemoryStoreOptions, memoryStore } from './state/memory-store.ts';
export {
  bytes,
  bytesUpTo,
  count,
  type FieldType,
  ipv4,
  port,
  type RecordSchema,
  record,
  u8,
  u16,
  u32,
  type Values,
} from './state/record.ts';
export {
  type RemoteStore,
  type RemoteStoreOptions,
  remoteStore,
} from './state/remote/remote-store.ts';
export { type SharedStore, type SharedStoreOptions, sharedStore } from './state/shared-store.ts';
export type { KeyKind, Store, StoreSession } from './state/store.ts';
export { alias, type Table, type TableOptions, table } from './state/table.ts';
export { PacketBatch } from './streams/batch.ts';
export {
  Lane,
  type LaneEvent,
  type LaneOptions,
  type LanePort,
  type LaneStatistics,
} from './streams/lane.ts';
export { MemoryPort, type MemoryPortOptions, memoryPool } from './streams/memory-port.ts';
export {
  type BatchOperator,
  type BatchOperatorOn,
  batchOperator,
  synchronousOperator,
} from './streams/operator.ts';
export { Packet } from './streams/packet.ts';
export { trait, type WhereMask, where } from './streams/traits.ts';
export { drop, forward, type Verdict } from './streams/verdict.ts';
export { formatIpv4, ip, parseIpv4, parseIpv6 } from './wire/address.ts';
