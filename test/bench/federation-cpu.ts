/**
 * CPU time of processes from /proc: what the kernel charged to a process and all of its threads.
 */
import { readFileSync } from 'node:fs'

/** USER_HZ; 100 on every Linux that Node runs on (proc(5), sysconf(_SC_CLK_TCK)). */
const ticksPerSecond = 100

/** User and system CPU seconds of a process so far; undefined when it is gone. */
export function cpuSecondsOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond
  } catch {
    return undefined
  }
}

/** Resident memory in bytes; undefined when the process is gone. */
export function residentBytesOf(pid: number): number | undefined {
  try {
    const line = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
    return line === null ? undefined : Number(line[1]) * 1_024
  } catch {
    return undefined
  }
}

/** A stopwatch over the CPU time of some processes. */
export class CpuWatch {
  readonly #start: ReadonlyMap<number, number>

  constructor(pids: readonly number[]) {
    this.#start = new Map(pids.map((pid) => [pid, cpuSecondsOf(pid) ?? 0]))
  }

  /** CPU seconds since the start of those that still live. */
  seconds(): number {
    let sum = 0
    for (const [pid, before] of this.#start) sum += Math.max(0, (cpuSecondsOf(pid) ?? before) - before)
    return sum
  }
}
