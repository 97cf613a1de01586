/**
 * Where a scrub of a disk has come to: one small file beside the shards.
 *
 * A place that is missing or unreadable is the beginning: scrub then repeats work and skips none.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseShardName } from '../protocol/shard-store.ts'
import { writeFileDurably } from './durable-file.ts'

/** `root`: of the shard files. */
export function scrubProgressFile(root: string): {
  load(): Promise<string>
  save(after: string): Promise<void>
} {
  const path = join(root, 'scrub-progress')
  return {
    load: async () => {
      const text = await readFile(path, 'utf8').catch(() => '') // see above
      const name = text.trim()
      return parseShardName(name) === undefined ? '' : name
    },
    save: async (after) => {
      await writeFileDurably(path, `${after}\n`)
    },
  }
}
