/** A small replicated state machine for tests: registers with compare-and-set and one command that needs a scan. */
import type { StateMachine } from '../../node/core/state-machine.ts'

/** Rows by command: put, remove, compare-and-set, count of a prefix (needs a scan). Replies tell what was there. */
export type KvCommand =
  | { readonly op: 'put'; readonly key: string; readonly value: string }
  | { readonly op: 'cas'; readonly key: string; readonly expect: string | null; readonly value: string }
  | { readonly op: 'remove'; readonly key: string }
  | { readonly op: 'count'; readonly prefix: string; readonly into: string }

export const kvMachine: StateMachine = {
  scansOf: (command) => {
    const { op, ...rest } = command as KvCommand
    if (op !== 'count') return []
    const { prefix } = rest as { prefix: string }
    return [{ gte: prefix, lt: `${prefix}\u{ffff}` }]
  },
  apply: ({ command, rows, scanned }) => {
    const kv = command as KvCommand
    if (kv.op === 'count') {
      const count = scanned[0]?.length ?? -1
      return { reply: { count }, mutations: [{ key: kv.into, value: Buffer.from(String(count)) }] }
    }
    const row = rows.get(kv.key)
    const before = row === undefined ? null : Buffer.from(row).toString()
    if (kv.op === 'remove') return { reply: { before }, mutations: [{ key: kv.key, value: undefined }] }
    if (kv.op === 'cas' && kv.expect !== before) return { reply: { before, refused: true }, mutations: [] }
    return {
      reply: { before },
      mutations: [
        { key: kv.key, value: Buffer.from(kv.value) },
        // A row that comes and goes: state that is left over from elsewhere would show.
        { key: `long/${kv.key}`, value: kv.value.length > 60 ? Buffer.from(kv.value) : undefined },
      ],
    }
  },
}
