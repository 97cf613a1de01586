/**
 * The process body of `bundescloud auditor`: a follower that is in no group keeps every journal of every group.
 *
 * Invariant: believes a journal only when its signers are the voters of its group in a map that the auditor trusts,
 * and a head only when a quorum of them signed it; what it archived is durable. It needs no key of the owner and can
 * open no body. A fork that a quorum signed is reported and both sides are kept: it is evidence.
 * Leaves to others: connections and admission (swarm), verifying the copy (ledger-verify.ts).
 */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import Corestore from 'corestore'
import type Hypercore from 'hypercore'
import type { Range } from 'hypercore'
import type { ClusterMap } from '../core/cluster-map.ts'
import type { JournalManifest } from '../core/journal.ts'
import { toHex } from '../core/journal-block.ts'
import type { Clock } from '../world.ts'
import { HeadArchive } from './auditor-archive.ts'
import { type JournalConnections, openJournalChannel } from './auditor-channel.ts'
import { fromHypercoreManifest, journalKeyOf, toHypercoreManifest } from './ledger.ts'
import { certificateFault, treeHash } from './ledger-tree.ts'
import { signersFault } from './ledger-verify.ts'

export const auditorLimits = {
  /** A journal's head is archived at most so often while it grows, and once more when it is closed. */
  archiveMs: 60_000,
  /** Journals that are followed at once: the newest of every group and old ones that are incomplete. */
  followedMax: 4_096,
} as const

export interface AuditorOptions {
  /** Owned by this process: `journals/` and `heads.jsonl` are kept in it. */
  readonly directory: string
  readonly connections: JournalConnections
  /** Maps whose voters may sign: that of the genesis document and the newest one known. */
  readonly maps: () => readonly ClusterMap[]
  readonly clock: Clock
  /** A fork or a failure, for the log of the process. */
  readonly onFailure?: (why: string, detail: string) => void
}

/** What operators see of one followed journal. */
export interface AuditedJournal {
  readonly groupId: string
  readonly sequence: number
  readonly key: string
  /** Blocks that a quorum signed, and how many of them are here. */
  readonly signedBlocks: number
  readonly blocks: number
}

export interface AuditorState {
  readonly journals: readonly AuditedJournal[]
  readonly connections: number
  readonly archivedHeads: number
  /** Announcements that were not believed. */
  readonly rejectedTotal: number
  /** Two co-signed trees of one length were seen: somebody with a quorum's keys forged. */
  readonly forksTotal: number
}

interface Followed {
  readonly key: string
  readonly manifest: JournalManifest
  readonly core: Hypercore
  readonly range: Range
  archivedLength: number
  cancelArchive: (() => void) | undefined
}

export class Auditor {
  readonly #options: AuditorOptions
  readonly #store: Corestore
  readonly #archive: HeadArchive
  readonly #followed = new Map<string, Followed>()
  /** Closed journals of which every block is here, by key: known, and not held open. */
  readonly #complete = new Map<string, AuditedJournal>()
  #connections = 0
  #archivedHeads = 0
  #rejected = 0
  #forks = 0
  #closed = false

  private constructor(options: AuditorOptions, store: Corestore, archive: HeadArchive) {
    this.#options = options
    this.#store = store
    this.#archive = archive
  }

  /** Opens the directory, follows what it has, and follows what connected members announce. */
  static async open(options: AuditorOptions): Promise<Auditor> {
    const directory = join(options.directory, 'journals')
    await mkdir(directory, { recursive: true })
    const store = new Corestore(directory, { allowBackup: true })
    await store.ready()
    const archive = await HeadArchive.open(join(options.directory, 'heads.jsonl'))
    const auditor = new Auditor(options, store, archive)
    await auditor.#resume()
    options.connections.onConnection((stream) => auditor.#connected(stream))
    return auditor
  }

  state(): AuditorState {
    return {
      journals: [...this.#complete.values(), ...[...this.#followed.values()].map(audited)],
      connections: this.#connections,
      archivedHeads: this.#archivedHeads,
      rejectedTotal: this.#rejected,
      forksTotal: this.#forks,
    }
  }

  /** Archives the newest heads and closes. */
  async close(): Promise<void> {
    this.#closed = true
    for (const followed of this.#followed.values()) {
      followed.cancelArchive?.()
      await this.#archiveHead(followed)
    }
    await this.#archive.close()
    await this.#store.close()
  }

  async #resume(): Promise<void> {
    const known: JournalManifest[] = []
    for await (const discoveryKey of this.#store.list()) {
      const auth = await this.#store.getAuth(discoveryKey)
      const manifest = fromHypercoreManifest(auth?.manifest ?? null)
      if (manifest !== undefined) known.push(manifest)
    }
    await Promise.all(known.map((manifest) => this.#follow(manifest)))
  }

  #connected(stream: Parameters<typeof openJournalChannel>[0]): void {
    if (this.#closed) return
    this.#connections += 1
    stream.once('close', () => {
      this.#connections -= 1
    })
    this.#store.replicate(stream)
    openJournalChannel(stream, {
      onJournals: (manifests) => {
        for (const manifest of manifests) this.#hear(manifest)
      },
      onClose: () => undefined,
      onBad: () => {
        this.#rejected += 1
      },
    })
  }

  #hear(manifest: JournalManifest): void {
    this.#follow(manifest).catch((error: unknown) => {
      this.#fail('error', error instanceof Error ? error.message : String(error))
    })
  }

  async #follow(manifest: JournalManifest): Promise<void> {
    if (this.#closed) return
    const fault = signersFault(manifest, this.#options.maps())
    if (fault !== undefined) {
      this.#rejected += 1
      this.#fail('rejected', `${manifest.groupId} ${manifest.sequence}: ${fault}`)
      return
    }
    const key = journalKeyOf(manifest)
    if (this.#complete.has(key) || this.#followed.size >= auditorLimits.followedMax) return
    const core = this.#store.get({ manifest: toHypercoreManifest(manifest), active: true })
    await core.ready()
    if (this.#followed.has(key) || this.#closed) {
      await core.close()
      return
    }
    const range = core.download({ start: 0, end: -1 })
    const followed: Followed = { key, manifest, core, range, archivedLength: 0, cancelArchive: undefined }
    this.#followed.set(key, followed)
    core.on('append', () => this.#grown(followed))
    core.on('conflict', (length: number) => {
      this.#forks += 1
      this.#fail(
        'fork',
        `${manifest.groupId} journal ${manifest.sequence}: two co-signed trees of length ${length}`,
      )
    })
    if (core.length > 0) this.#grown(followed)
  }

  #grown(followed: Followed): void {
    if (followed.archivedLength === 0) void this.#archiveHead(followed)
    followed.cancelArchive ??= this.#options.clock.after(auditorLimits.archiveMs, () => {
      followed.cancelArchive = undefined
      void this.#archiveHead(followed)
    })
    const { previous } = followed.manifest
    const before = previous === undefined ? undefined : this.#followed.get(previous.key)
    if (before !== undefined) void this.#letGo(before, previous?.length ?? 0)
  }

  /** Stops holding a journal open that its successor closed at `length`, once every block of it is here. */
  async #letGo(followed: Followed, length: number): Promise<void> {
    await this.#archiveHead(followed)
    const { core, key, range } = followed
    if (core.length < length || core.contiguousLength < core.length || !this.#followed.has(key)) return
    this.#complete.set(key, audited(followed))
    this.#followed.delete(key)
    followed.cancelArchive?.()
    range.destroy()
    await core.close()
  }

  /** Writes the newest head with its signatures to the archive, once per length. */
  async #archiveHead(followed: Followed): Promise<void> {
    const { core, key, manifest } = followed
    const { length, roots, signature } = core.state
    if (length === followed.archivedLength || signature === null) return
    const head = { length, treeHash: toHex(treeHash(roots)) }
    const fault = certificateFault(key, manifest, head, signature)
    if (fault !== undefined) {
      this.#fail('error', `${manifest.groupId} journal ${manifest.sequence}: ${fault}`)
      return
    }
    followed.archivedLength = length
    const { groupId, sequence } = manifest
    const seenMs = this.#options.clock.wallMs()
    try {
      await this.#archive.append([{ groupId, sequence, key, ...head, certificate: toHex(signature), seenMs }])
      this.#archivedHeads += 1
    } catch (error) {
      this.#fail('archive', error instanceof Error ? error.message : String(error))
    }
  }

  #fail(why: string, detail: string): void {
    this.#options.onFailure?.(why, detail)
  }
}

function audited({ key, manifest, core }: Followed): AuditedJournal {
  const { groupId, sequence } = manifest
  return { groupId, sequence, key, signedBlocks: core.length, blocks: core.contiguousLength }
}
