/**
 * Why packets are dropped. Reasons are numbers in batches and counters, names everywhere else. The
 * native kernels' own come first; others are registered when an operator or NF that uses them is
 * made, so every counter exists, at zero, before the first packet.
 */
import { native } from '../native.ts';

const maxReasons = 256;
const names: string[] = [...native.reasons];
const numbers = new Map(names.map((name, number) => [name, number]));

/**
 * The number of a reason, registering its name where it is new.
 *
 * @throws {Error} when 256 reasons exist: they are meant to be few and fixed.
 */
export function reason(name: string): number {
  const known = numbers.get(name);
  if (known !== undefined) return known;
  if (names.length === maxReasons) throw new Error(`more than ${maxReasons} drop reasons: ${name}`);
  numbers.set(name, names.length);
  return names.push(name) - 1;
}

export function reasonName(number: number): string {
  return names[number] ?? `reason-${number}`;
}

export function reasonNames(): readonly string[] {
  return names;
}
