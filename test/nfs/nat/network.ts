/**
 * The network that the NAT's scripts speak of:
 *
 *   10.0.0.5, .6 ---- inside 10.0.0.1/24 [ NAT ] outside 203.0.113.1/24 ---- 203.0.113.254 ---- 198.51.100.0/24
 */
import { type NatOptions, nat } from 'rxnf';
import { runScript, type ScriptOptions, type ScriptResult } from 'rxnf/testing';
import { parseIpv4 } from '../../../src/wire/address.ts';

export function ip(text: string): number {
  const address = parseIpv4(text);
  if (address === undefined) throw new RangeError(`${text} is no address`);
  return address;
}

export const network: NatOptions = {
  inside: ['inside'],
  outside: 'outside',
  interfaces: {
    inside: [{ address: ip('10.0.0.1'), length: 24 }],
    outside: [{ address: ip('203.0.113.1'), length: 24 }],
  },
  pool: [ip('203.0.113.1')],
  routes: [{ address: 0, length: 0, port: 'outside', via: ip('203.0.113.254') }],
};

const ports = [{ name: 'inside' }, { name: 'outside' }];

/**
 * Runs a script against a NAT on that network, with some of its options replaced: once with each way
 * of staging translations, which must not differ.
 */
export function check(
  text: string,
  options: Partial<NatOptions> = {},
  harness: ScriptOptions = {},
): ScriptResult {
  const declared = /^\s*port\s/m.test(text);
  const setting = declared ? harness : { ports, ...harness };
  runScript(nat({ ...network, translation: 'callback', ...options }), text, setting);
  return runScript(nat({ ...network, translation: 'kernels', ...options }), text, setting);
}

/** A number that a script bound. */
export function bound(result: ScriptResult, name: string): number {
  return Number(result.bindings[name]);
}
