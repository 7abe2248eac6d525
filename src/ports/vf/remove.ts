/** Removes the virtual functions of a card, unless somebody is using one. */
import { VfError } from './error.ts';
import { physicalFunction, virtualFunctions } from './functions.ts';
import { tell, type VfMachine } from './machine.ts';

/**
 * @returns how many there were
 * @throws {VfError} `ERR_VF_IN_USE` naming the processes: the kernel would wait for them without end
 */
export function removeVfs(machine: VfMachine, name: string): number {
  const pf = physicalFunction(machine, name);
  for (const { address, iommuGroup } of virtualFunctions(machine, pf)) {
    const pids = iommuGroup === undefined ? [] : machine.holders(`/dev/vfio/${iommuGroup}`);
    if (pids.length > 0) {
      throw new VfError(
        'ERR_VF_IN_USE',
        `${address} is in use by process ${pids.join(', ')}`,
        `stop it first: kill ${pids.join(' ')}`,
      );
    }
  }
  tell(machine, `${pf.path}/sriov_numvfs`, '0');
  return pf.count;
}
