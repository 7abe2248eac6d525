/** Writes the key of an external endpoint, as native/kernels/lookup.cc makes it. */
export function externalKey(
  out: Uint8Array,
  at: number,
  protocol: number,
  address: number,
  port: number,
): void {
  for (let i = at + 7; i < at + 16; i++) out[i] = 0;
  out[at] = address >>> 24;
  out[at + 1] = address >>> 16;
  out[at + 2] = address >>> 8;
  out[at + 3] = address;
  out[at + 4] = port >>> 8;
  out[at + 5] = port;
  out[at + 6] = protocol;
}
