/** No operator carries a name that RxJS has, so that a wrong import cannot compile into a leak. */
import type * as rxjs from 'rxjs';
import type * as rxnf from 'rxnf';

type Functions<Module> = {
  [Name in keyof Module]: Module[Name] extends (...args: never) => unknown ? Name : never;
}[keyof Module];

type Shared = Extract<Functions<typeof rxnf>, Functions<typeof rxjs>>;

/** Compiles only while nothing is shared; else the error names it. */
export const shared: [Shared] extends [never] ? 'nothing' : Shared = 'nothing';

// @ts-expect-error
export type Filter = (typeof rxnf)['filter'];
// @ts-expect-error
export type Take = (typeof rxnf)['take'];
// @ts-expect-error
export type Share = (typeof rxnf)['share'];
// @ts-expect-error
export type MergeMap = (typeof rxnf)['mergeMap'];
