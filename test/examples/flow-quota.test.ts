import { runScript } from 'rxnf/testing';
import { it } from 'vitest';
import { flowQuota } from '../../examples/flow-quota.ts';

it('lets three packets of a flow pass, whatever batch they come in', () => {
  runScript(
    flowQuota,
    `
    port in
    port out
    in  (aab)aa  a: in 10.0.0.5:4242 > 198.51.100.7:53 udp "a"
    b: in 10.0.0.6:4242 > 198.51.100.7:53 udp "b"
    out (aab)a   a: out 10.0.0.5:4242 > 198.51.100.7:53 udp "a"
    b: out 10.0.0.6:4242 > 198.51.100.7:53 udp "b"
    drops over-quota=1
  `,
  );
});
