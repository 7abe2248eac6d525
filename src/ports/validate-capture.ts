/** What a capture port needs: a capture with frames, and a place for its output. */
import { dirname } from 'node:path';
import type { Probes } from './probes.ts';
import type { DeviceOf, Report } from './report.ts';
import { checkDirectory } from './report.ts';

const ethernet = 1; // LINKTYPE_ETHERNET

export function checkCapture(
  device: DeviceOf<'pcap' | 'capture'>,
  probes: Probes,
  report: Report,
): void {
  if (device.file !== undefined) checkCaptureFile(device.kind, device.file, probes, report);
  if (device.out === undefined) return;
  if (device.out === device.file) {
    report.add(
      'duplicate-device',
      `out= is the capture itself, ${device.out}`,
      'name another file',
    );
    return;
  }
  checkDirectory(dirname(device.out), probes, report);
}

function checkCaptureFile(
  kind: 'pcap' | 'capture',
  file: string,
  probes: Probes,
  report: Report,
): void {
  const state = probes.file(file);
  if (state === 'missing') {
    report.add('missing-file', `no file ${file}`, `ls -l ${dirname(file)}`);
    return;
  }
  if (state !== 'file') {
    report.add('unreadable-file', `${file} is ${state}`, `ls -l ${file}; chmod +r ${file}`);
    return;
  }
  const capture = probes.capture(file);
  if (capture === undefined) {
    report.add('not-a-capture', `${file} is neither pcap nor pcapng`, `capinfos ${file}`);
  } else if (capture.frames === 0) {
    report.add('empty-capture', `${file} holds no frame`, `tcpdump -i IFACE -c 1000 -w ${file}`);
  } else if (kind === 'pcap' && capture.linkType !== ethernet) {
    report.add(
      'wrong-link-type',
      `${file} holds frames of link type ${capture.linkType ?? 'several'}, not Ethernet`,
      `use capture:${file}, which gives them Ethernet headers`,
    );
  }
}
