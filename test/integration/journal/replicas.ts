/**
 * Three replicas of a fake Raft group in one process: a shared committed log, real ledgers on disk, real rows in
 * memory with a power switch. Raft is only its outcome here: who leads, which term, what each node knows committed.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { CommittedEntry } from '../../../node/core/journal.ts'
import { type JournalSigner, Ledger } from '../../../node/io/ledger.ts'
import { sha256Hex } from '../../../node/io/ledger-cipher.ts'
import type { JournalGroup } from '../../../node/services/journal-log.ts'
import { decodeRequest, encodeMessage } from '../../../node/services/journal-messages.ts'
import { JournalService, type JournalState } from '../../../node/services/journal-service.ts'
import type { Clock, Row, RowMutation, RowStore } from '../../../node/world.ts'
import { verifyJournals } from '../../../ops/cli/journal-verify.ts'
import { entryAt, ownerKey, signerOf } from '../../unit/journal/fixtures.ts'
import { genesisOf } from './genesis.ts'

export const realClock: Clock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  after: (delayMs, run) => {
    const timer = setTimeout(run, delayMs)
    return () => clearTimeout(timer)
  },
}

/** Rows in memory; `powerLoss` forgets what was not written durably. */
export class MemoryRows implements RowStore {
  #rows = new Map<string, Uint8Array>()
  #durable = new Map<string, Uint8Array>()
  durableWrites = 0

  getSync(key: string): Uint8Array | undefined {
    return this.#rows.get(key)
  }
  async *scan({ gte, lt }: { gte: string; lt: string }): AsyncGenerator<Row> {
    for (const key of [...this.#rows.keys()].sort()) {
      const value = this.#rows.get(key)
      if (key >= gte && key < lt && value !== undefined) yield { key, value }
    }
  }
  snapshot(): never {
    throw new Error('not used')
  }
  async write(mutations: readonly RowMutation[], { durable }: { durable: boolean }): Promise<void> {
    for (const { key, value } of mutations) {
      if (value === undefined) this.#rows.delete(key)
      else this.#rows.set(key, value)
    }
    if (!durable) return
    this.durableWrites += 1
    this.#durable = new Map(this.#rows)
  }
  async close(): Promise<void> {
    this.#rows.clear()
  }
  powerLoss(): void {
    this.#rows = new Map(this.#durable)
  }
  keys(): string[] {
    return [...this.#rows.keys()]
  }
}

/** The log as one node sees it. */
class FakeGroup implements JournalGroup {
  readonly groupId = 'catalog-1'
  readonly #cluster: Replicas
  readonly #listeners = new Set<() => void>()
  committed = 0
  firstIndex = 1
  retained: number | undefined
  term = 0
  leader: string | undefined

  constructor(cluster: Replicas) {
    this.#cluster = cluster
  }
  status() {
    const { leader, term, committed, firstIndex } = this
    return { leader, term, committed, firstIndex }
  }
  async entries(from: number, limit: number): Promise<readonly CommittedEntry[]> {
    if (from < this.firstIndex) return []
    return this.#cluster.log.slice(from - 1, Math.min(from - 1 + limit, this.committed))
  }
  onCommitted(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }
  retainFrom(index: number): void {
    this.retained = index
  }
  notify(): void {
    for (const listener of [...this.#listeners]) listener()
  }
}

export interface Replica {
  readonly nodeId: string
  readonly signer: JournalSigner
  readonly group: FakeGroup
  readonly rows: MemoryRows
  readonly directory: string
  ledger: Ledger
  service: JournalService
  up: boolean
}

export class Replicas {
  readonly log: CommittedEntry[] = []
  readonly nodes: Replica[] = []
  readonly root: string
  readonly failures: string[] = []
  /** Changes a reply on its way, to play a faulty replica; undefined: lost. */
  tamper: (from: string, payload: Uint8Array) => Uint8Array | undefined = (_from, payload) => payload
  /** Loses a request on its way. */
  dropRequest: (to: string, kind: string) => boolean = () => false
  term = 0
  leader: string | undefined

  private constructor(root: string) {
    this.root = root
  }

  static async start(names = ['by-1', 'be-1', 'nw-1']): Promise<Replicas> {
    const cluster = new Replicas(await mkdtemp(join(tmpdir(), 'journal-')))
    for (const nodeId of names) {
      const signer = signerOf(nodeId)
      const directory = join(cluster.root, nodeId)
      const ledger = await Ledger.open(directory, { signer, ownerKey })
      const group = new FakeGroup(cluster)
      const node = { nodeId, signer, group, rows: new MemoryRows(), directory, ledger, up: true }
      cluster.nodes.push(Object.assign(node, { service: undefined as unknown as JournalService }))
    }
    for (const node of cluster.nodes) cluster.#startService(node)
    return cluster
  }

  node(nodeId: string): Replica {
    const found = this.nodes.find((node) => node.nodeId === nodeId)
    if (found === undefined) throw new Error(`no ${nodeId}`)
    return found
  }

  /** Makes `nodeId` the leader of a new term among the nodes that are up; its no-op is committed. */
  elect(nodeId: string): void {
    this.term += 1
    this.leader = nodeId
    for (const node of this.nodes) {
      if (!node.up) continue
      node.group.term = this.term
      node.group.leader = nodeId
    }
    this.log.push({ index: this.log.length + 1, term: this.term, kind: 'noop' })
    this.#deliver()
  }

  /** Commits `count` further entries. */
  commit(count: number): void {
    for (let at = 0; at < count; at += 1) this.log.push({ ...entryAt(this.log.length + 1, this.term) })
    this.#deliver()
  }

  /** Stops a node. `loseTail`: its hypercores and rows fall back to what was durable. */
  async stop(nodeId: string): Promise<void> {
    const node = this.node(nodeId)
    node.up = false
    await node.service.close()
    await node.ledger.close()
  }

  async restart(
    nodeId: string,
    options: { deleteLedger?: boolean; powerLoss?: boolean } = {},
  ): Promise<void> {
    const node = this.node(nodeId)
    if (options.deleteLedger) await rm(node.directory, { recursive: true, force: true })
    if (options.powerLoss) node.rows.powerLoss()
    node.ledger = await Ledger.open(node.directory, { signer: node.signer, ownerKey })
    node.up = true
    node.group.term = this.term
    node.group.leader = this.leader
    node.group.committed = this.log.length
    this.#startService(node)
  }

  state(nodeId: string): JournalState {
    const [state] = this.node(nodeId).service.states()
    if (state === undefined) throw new Error('no state')
    return state
  }

  /** Waits until these nodes have stored everything committed, co-signed. */
  async settled(names = this.nodes.filter(({ up }) => up).map(({ nodeId }) => nodeId)): Promise<void> {
    await until(
      () =>
        names.every(
          (name) => this.state(name).lagEntries === 0 && this.node(name).group.committed === this.log.length,
        ),
      () =>
        `${JSON.stringify(names.map((name) => this.state(name)))} ${this.failures
          .filter((one) => one.includes('error'))
          .slice(-3)
          .join(' | ')}`,
    )
  }

  /** Stops a node and verifies its ledger offline. */
  async verify(nodeId: string) {
    await this.stop(nodeId)
    return verifyJournals({ directory: this.node(nodeId).directory, genesis: genesisOf() })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const node of this.nodes) if (node.up) await this.stop(node.nodeId)
    await rm(this.root, { recursive: true, force: true })
  }

  #deliver(): void {
    for (const node of this.nodes) {
      if (!node.up) continue
      node.group.committed = this.log.length
      node.group.notify()
    }
  }

  #startService(node: Replica): void {
    const members = this.nodes.map(({ nodeId, signer }) => ({
      nodeId,
      publicKey: signer.publicKey,
      learner: false,
    }))
    node.service = new JournalService({
      self: node.nodeId,
      ledger: node.ledger,
      store: node.rows,
      clock: realClock,
      sha256: sha256Hex,
      intervalMs: 5,
      members: () => members,
      isKnownSigner: (key) => members.some(({ publicKey }) => publicKey === key),
      call: (to, groupId, payload) => this.#call(node.nodeId, to, groupId, payload),
      onFailure: (_group, why, detail) => this.failures.push(`${node.nodeId} ${why}: ${detail}`),
    })
    node.service.add(node.group)
  }

  async #call(from: string, to: string, groupId: string, payload: Uint8Array): Promise<Uint8Array> {
    const target = this.node(to)
    if (!target.up || !this.node(from).up) throw new Error('down')
    if (this.dropRequest(to, decodeRequest(payload).kind)) throw new Error('lost on the way')
    const reply = await target.service.handle(from, { groupId, payload })
    const changed = this.tamper(to, reply.payload)
    if (changed === undefined) throw new Error('reply lost on the way')
    return changed
  }
}

export { encodeMessage }

/** Polls until `condition` holds; fails at the deadline with what `describe` says. */
export async function until(condition: () => boolean | Promise<boolean>, describe = () => ''): Promise<void> {
  const deadline = Date.now() + 20_000
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`not reached in time: ${describe()}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
