/** Subsets looked at, at the most: beyond that the answer is yes. */
const bound = 20_000;

/** Whether some `count` of the numbers add up to `sum`, modulo 2^32; true where that is too much to find out. */
export function mayBeSumOf(sum: number, count: number, numbers: readonly number[]): boolean {
  let looked = 0;
  const search = (from: number, left: number, rest: number): boolean => {
    if (++looked > bound) return true;
    if (left === 0) return rest === 0;
    for (let i = from; i + left <= numbers.length; i++) {
      if (search(i + 1, left - 1, (rest - numbers[i]) >>> 0)) return true;
    }
    return false;
  };
  return search(0, count, sum >>> 0);
}
