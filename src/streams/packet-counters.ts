/**
 * Counters that operators keep by name, beside those of reasons and ports. As reasons are, they are
 * numbers in lanes and names everywhere else, and exist, at zero, before the first packet.
 */
export const maxCounters = 256;
const names: string[] = [];
const numbers = new Map<string, number>();

/**
 * The number of a counter, registering its name where it is new: two operators of one name count
 * together.
 *
 * @throws {Error} when 256 exist: they are meant to be few and fixed
 */
export function counter(name: string): number {
  const known = numbers.get(name);
  if (known !== undefined) return known;
  if (names.length === maxCounters) throw new Error(`more than ${maxCounters} counters: ${name}`);
  numbers.set(name, names.length);
  return names.push(name) - 1;
}

export function counterNames(): readonly string[] {
  return names;
}
