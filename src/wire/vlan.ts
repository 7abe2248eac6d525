/**
 * VLAN tag (IEEE 802.1Q; two of them are 802.1ad, "QinQ"), as the header that follows a type
 * field holding a tag protocol identifier: two bytes of tag control, then the next type.
 */
import { TYPE } from './ethernet.ts';
import type { Malformed } from './malformed.ts';

export const HEADER_LENGTH = 4;

/** 802.1ad has a service tag and a customer tag; what follows a third is left alone. */
export const MAXIMUM_TAGS = 2;

export interface VlanFields {
  /** 12 bits; 0 is a priority tag, 4095 is reserved. */
  readonly identifier: number;
  /** Priority code point, 0 to 7; 0 where absent. */
  readonly priority?: number;
  /** False where absent. */
  readonly dropEligible?: boolean;
  /** The EtherType of what follows the tag. */
  readonly type: number;
}

/** Whether a type field announces a tag. */
export function isTag(type: number): boolean {
  return type === TYPE.vlan || type === TYPE.serviceVlan;
}

export function check(_view: DataView, offset: number, end: number): Malformed | undefined {
  return end - offset < HEADER_LENGTH ? 'truncated' : undefined;
}

export function identifier(view: DataView, offset: number): number {
  return view.getUint16(offset) & 0x0fff;
}

export function priority(view: DataView, offset: number): number {
  return view.getUint8(offset) >>> 5;
}

export function dropEligible(view: DataView, offset: number): boolean {
  return (view.getUint8(offset) & 0x10) !== 0;
}

export function type(view: DataView, offset: number): number {
  return view.getUint16(offset + 2);
}

export function setIdentifier(view: DataView, offset: number, value: number): void {
  view.setUint16(offset, (view.getUint16(offset) & 0xf000) | (value & 0x0fff));
}

export function setPriority(view: DataView, offset: number, value: number): void {
  view.setUint8(offset, (view.getUint8(offset) & 0x1f) | ((value & 7) << 5));
}

export function setDropEligible(view: DataView, offset: number, value: boolean): void {
  view.setUint8(offset, (view.getUint8(offset) & 0xef) | (value ? 0x10 : 0));
}

export function setType(view: DataView, offset: number, value: number): void {
  view.setUint16(offset + 2, value);
}

export function write(view: DataView, offset: number, fields: VlanFields): number {
  view.setUint16(offset, fields.identifier & 0x0fff);
  setPriority(view, offset, fields.priority ?? 0);
  setDropEligible(view, offset, fields.dropEligible ?? false);
  setType(view, offset, fields.type);
  return HEADER_LENGTH;
}
