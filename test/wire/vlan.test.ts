import fc from 'fast-check';
import { expect, it } from 'vitest';
import * as vlan from '../../src/wire/vlan.ts';
import { u16 } from './arbitraries.ts';
import { testCodec } from './codec-suite.ts';

testCodec({
  name: 'vlan',
  codec: vlan,
  // Priority 5 (101), drop eligible (1), VLAN 0x064 (000001100100).
  hex: 'b064 0800',
  fields: { identifier: 100, priority: 5, dropEligible: true, type: 0x0800 },
  whenCut: () => 'truncated',
  arbitrary: fc.record({
    identifier: fc.integer({ min: 0, max: 0xfff }),
    priority: fc.integer({ min: 0, max: 7 }),
    dropEligible: fc.boolean(),
    type: u16,
  }),
});

it('knows the tag protocols of 802.1Q and 802.1ad and no others', () => {
  const found = [0x0800, 0x8100, 0x88a8, 0x9100].filter((type) => vlan.isTag(type));
  expect(found).toEqual([0x8100, 0x88a8]);
});
