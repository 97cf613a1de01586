/**
 * Keeps LevelDB's word where LevelDB does not: an fsync that covers everything written before it.
 *
 * When its memtable is full LevelDB starts a new write-ahead log and closes the old one without fsync; a later
 * `sync: true` reaches only the new one. Until the old memtable is in a table file, a power loss can take the end
 * of the old log and leave the new one: an unsynced write is lost although a later synced one survived. The store
 * promises order, so this guard notices that a batch went to a new log, and makes the old one (and the directory
 * entry of the new one) durable before the batch is acknowledged. See ops/decisions/0110.
 */
import { closeSync, fdatasync, fstatSync, fsync, openSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'

const syncData = promisify(fdatasync)
const syncAll = promisify(fsync)

export class WalGuard {
  readonly #directory: string
  #file: number
  #bytes: number
  /** The current log holds writes that no fsync has covered. */
  #unsynced = false

  /** @param directory of an open database; its newest log is the one being written. */
  constructor(directory: string) {
    this.#directory = directory
    this.#file = openNewest(directory)
    this.#bytes = fstatSync(this.#file).size
  }

  /**
   * To be called after every batch, before it is acknowledged and before the next one is written.
   *
   * @param synced the batch was written with `sync: true`
   * @throws when a log cannot be made durable; the store has to stop
   */
  async settle(synced: boolean): Promise<void> {
    const bytes = fstatSync(this.#file).size
    if (bytes === this.#bytes) await this.#follow()
    else this.#bytes = bytes
    this.#unsynced = !synced
  }

  /** Makes a log durable that LevelDB writes no more. */
  protected async syncLog(file: number): Promise<void> {
    await syncData(file)
  }

  close(): void {
    closeSync(this.#file)
  }

  /** The batch left our log as it was: it is in a newer one. */
  async #follow(): Promise<void> {
    if (this.#unsynced) await this.syncLog(this.#file)
    closeSync(this.#file)
    const directory = openSync(this.#directory, 'r')
    try {
      await syncAll(directory)
    } finally {
      closeSync(directory)
    }
    this.#file = openNewest(this.#directory)
    this.#bytes = fstatSync(this.#file).size
  }
}

function openNewest(directory: string): number {
  const logs = readdirSync(directory).filter((name) => /^\d+\.log$/.test(name))
  const newest = logs.sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10)).at(-1)
  if (newest === undefined) throw new Error(`no write-ahead log in ${directory}`)
  return openSync(join(directory, newest), 'r')
}
