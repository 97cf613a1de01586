/**
 * What shards take of a disk and what is left of it: for status and metrics, never for decisions.
 *
 * Counting walks the folders, so it is done rarely: a walk that took a second is not repeated for twenty.
 */
import { readdir, stat, statfs } from 'node:fs/promises'
import { join } from 'node:path'

export interface DiskUsage {
  readonly shards: number
  readonly shardBytes: number
  readonly freeBytes: number
  readonly sizeBytes: number
}

/** A walk may use this share of the time at most. */
const DUTY_INVERSE = 20
const REST_MS_MIN = 2_000

export class DiskUsageMeter {
  readonly #root: string
  #last: DiskUsage = { shards: 0, shardBytes: 0, freeBytes: 0, sizeBytes: 0 }
  #dueMs = Number.NEGATIVE_INFINITY
  #walking: Promise<void> | undefined

  /** `root`: the directory of the shard files, as given to `openShardFiles`. */
  constructor(root: string) {
    this.#root = root
  }

  /** Free and total bytes are of now; counts may be as old as the pause between two walks. */
  async read(): Promise<DiskUsage> {
    if (performance.now() >= this.#dueMs) {
      this.#walking ??= this.#walk().finally(() => {
        this.#walking = undefined
      })
      await this.#walking
    }
    const { bavail, blocks, bsize } = await statfs(this.#root)
    return { ...this.#last, freeBytes: bavail * bsize, sizeBytes: blocks * bsize }
  }

  async #walk(): Promise<void> {
    const startMs = performance.now()
    let shards = 0
    let shardBytes = 0
    const sealed = join(this.#root, 'shards')
    for (const fan of await readdir(sealed)) {
      const names = await readdir(join(sealed, fan))
      // A shard may be deleted between the listing and the look: it counts as gone.
      const sizes = await Promise.all(
        names.map((name) =>
          stat(join(sealed, fan, name)).then(
            (file) => file.size,
            () => undefined,
          ),
        ),
      )
      for (const size of sizes) {
        if (size === undefined) continue
        shards++
        shardBytes += size
      }
    }
    this.#last = { ...this.#last, shards, shardBytes }
    const endMs = performance.now()
    this.#dueMs = endMs + Math.max(REST_MS_MIN, (endMs - startMs) * DUTY_INVERSE)
  }
}
