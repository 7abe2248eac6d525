import fc from 'fast-check';
import * as ethernet from '../../src/wire/ethernet.ts';
import { mac, u16 } from './arbitraries.ts';
import { testCodec } from './codec-suite.ts';

testCodec({
  name: 'ethernet',
  codec: ethernet,
  hex: '0200000000f2 0200000000f1 86dd',
  fields: { source: 0x0200000000f1, destination: 0x0200000000f2, type: 0x86dd },
  whenCut: () => 'truncated',
  arbitrary: fc.record({ source: mac, destination: mac, type: u16 }),
});
