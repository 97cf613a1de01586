/**
 * A deterministic world of Raft cores: virtual time, disks that lose what was not synced, a network that loses,
 * repeats and reorders, clocks that run at different speeds. The same seed gives the same run.
 *
 * It is a host like `services/replica.ts`, only smaller: it carries out effects and checks every step with
 * `RaftChecks`. What happens in it (clients, faults) is decided in raft-workload.ts.
 */

import { createRaft, type RaftEvent, step } from '../../node/core/raft.ts'
import type { RaftLimits } from '../../node/core/raft-config.ts'
import type { Entry, Member, RaftMessage, SnapshotPosition } from '../../node/core/raft-messages.ts'
import type { PersistRequest, RaftEffects, RaftState } from '../../node/core/raft-state.ts'
import { RaftChecks } from './raft-checks.ts'
import { SeededRandom } from './random.ts'
import { Timeline } from './timeline.ts'

export const simLimits: RaftLimits = {
  electionTimeoutMinMs: 1_000,
  electionTimeoutMaxMs: 2_000,
  heartbeatMs: 250,
  // Small on purpose: batches, pipelines and windows end up at their bounds.
  appendBytesMax: 400,
  inflightAppendsMax: 4,
  inflightBytesMax: 1_200,
  uncommittedBytesMax: 4_000,
  applyBytesMax: 300,
  tailBytesMax: 500,
  promotionLagMax: 5,
}

/** The replicated state: a few registers. Copied on every write, because disks keep old ones. */
export type Registers = ReadonlyMap<string, string>

export interface SimCommand {
  readonly id: number
  readonly key: string
  readonly value: string
  /** Compare-and-set when present; null stands for "no value". */
  readonly expect?: string | null
}

/** What survives a crash. */
interface DiskState {
  hardState: { term: number; votedFor: string | undefined }
  base: { index: number; term: number }
  entries: Entry[]
  appliedIndex: number
  members: readonly Member[]
  registers: Registers
}

interface DiskWrite {
  readonly change: (disk: DiskState) => void
}

interface Waiting {
  readonly term: number
  readonly done: (set: boolean) => void
}

interface StagedSnapshot {
  readonly position: SnapshotPosition
  readonly registers: Registers
}

export class SimNode {
  readonly nodeId: string
  readonly sim: RaftSim
  disk: DiskState
  raft: RaftState | undefined
  registers: Registers = new Map()
  members: readonly Member[]
  clockRate = 1
  /** Multiplies the time that an fsync takes. */
  diskFactor = 1
  #visible = new Map<number, Entry>()
  #writes: DiskWrite[] = []
  #incarnation = 0
  #clockBase = { real: 0, local: 0 }
  readonly #waiting = new Map<number, Waiting>()
  readonly #reads = new Map<number, { index: number | undefined; done: (registers: Registers) => void }>()
  #nextRead = 0
  #staged: StagedSnapshot | undefined

  constructor(sim: RaftSim, nodeId: string, members: readonly Member[]) {
    this.sim = sim
    this.nodeId = nodeId
    this.members = members
    this.disk = {
      hardState: { term: 0, votedFor: undefined },
      base: { index: 0, term: 0 },
      entries: [],
      appliedIndex: 0,
      members,
      registers: new Map(),
    }
  }

  get up(): boolean {
    return this.raft !== undefined
  }

  localNow(): number {
    return this.#clockBase.local + (this.sim.time.now - this.#clockBase.real) * this.clockRate
  }

  setClockRate(rate: number): void {
    this.#clockBase = { real: this.sim.time.now, local: this.localNow() }
    this.clockRate = rate
  }

  start(): void {
    const { hardState, base, entries, appliedIndex, members, registers } = this.disk
    this.registers = registers
    this.members = members
    this.#visible = new Map(entries.map((entry) => [entry.index, entry]))
    const source = { read: (from: number, to: number, bytesMax: number) => this.#readLog(from, to, bytesMax) }
    this.raft = createRaft(
      { nodeId: this.nodeId, seed: this.sim.random.below(2 ** 32), limits: this.sim.limits },
      {
        hardState,
        base,
        appliedIndex,
        members,
        entries: entries.map((entry) =>
          entry.kind === 'members' ? entry : { index: entry.index, term: entry.term },
        ),
      },
      source,
      this.localNow(),
    )
    this.#tickLater()
  }

  /** Power loss: of the writes that no fsync has covered a prefix survives. */
  crash(): void {
    const kept = this.sim.random.below(this.#writes.length + 1)
    for (const { change } of this.#writes.splice(0).slice(0, kept)) change(this.disk)
    this.raft = undefined
    this.#incarnation += 1
    this.#waiting.clear()
    this.#reads.clear()
    this.#staged = undefined
  }

  /** Returns false when the node does not take the command. */
  propose(command: SimCommand, done: (set: boolean) => void): boolean {
    if (this.raft === undefined) return false
    const data = Buffer.from(JSON.stringify(command))
    const effects = this.#step({ type: 'propose', commands: [data] })
    if (effects?.proposal === undefined || 'refused' in effects.proposal) return false
    const { firstIndex, term } = effects.proposal
    // A group of one may have applied it already.
    if (this.raft !== undefined && this.raft.log.applied < firstIndex) {
      this.#waiting.set(firstIndex, { term, done })
    }
    return true
  }

  read(done: (registers: Registers) => void): boolean {
    if (this.raft?.role !== 'leader') return false
    this.#nextRead += 1
    this.#reads.set(this.#nextRead, { index: undefined, done })
    this.#step({ type: 'read', id: this.#nextRead })
    return true
  }

  changeMembers(members: readonly Member[]): boolean {
    const effects = this.#step({ type: 'changeMembers', members })
    return effects?.proposal !== undefined && 'firstIndex' in effects.proposal
  }

  transfer(to: string): void {
    this.#step({ type: 'transferLeadership', to })
  }

  /** Drops log entries up to `index`, which is applied. */
  compact(index: number): void {
    const { raft } = this
    const term = raft?.log.termAt(index)
    if (raft === undefined || term === undefined || index > raft.log.applied) return
    this.#write((disk) => {
      disk.entries = disk.entries.filter((entry) => entry.index > index)
      disk.base = { index, term }
    })
    for (const at of this.#visible.keys()) if (at <= index) this.#visible.delete(at)
    this.#step({ type: 'compacted', index })
  }

  receive(message: RaftMessage): void {
    if (this.raft !== undefined) this.#step({ type: 'message', message })
  }

  hasDurably(index: number, term: number | undefined): boolean {
    if (index <= this.disk.base.index) return true
    const entry = this.disk.entries[index - this.disk.base.index - 1]
    return entry !== undefined && entry.term === term
  }

  #tickLater(): void {
    const incarnation = this.#incarnation
    this.sim.time.after(this.sim.random.between(40, 60), () => {
      if (this.#incarnation !== incarnation || this.raft === undefined) return
      this.#step({ type: 'tick' })
      this.#tickLater()
    })
  }

  #step(event: RaftEvent): RaftEffects | undefined {
    const { raft, sim } = this
    if (raft === undefined) return undefined
    const committedBefore = raft.log.committed
    const effects = step(raft, event, this.localNow())
    sim.trace(this.nodeId, event, raft)
    sim.checks.afterStep(raft)
    if (raft.role === 'leader' && raft.log.committed > committedBefore) {
      sim.checks.committed(raft, (nodeId, index) =>
        sim.node(nodeId).hasDurably(index, raft.log.termAt(index)),
      )
    }
    this.#perform(effects)
    return effects
  }

  #perform(effects: RaftEffects): void {
    if (effects.persist !== undefined) this.#persist(effects.persist)
    for (const message of effects.messages) this.sim.send(message)
    for (const { ids, index } of effects.reads) {
      for (const id of ids) {
        const read = this.#reads.get(id)
        if (read !== undefined) read.index = index
      }
    }
    for (const id of effects.failedReads) this.#reads.delete(id)
    if (effects.committed.length > 0) this.#applyLater(effects.committed)
    for (const to of effects.snapshotsTo) this.#sendSnapshot(to)
    if (effects.stage !== undefined) {
      const { position, rows } = effects.stage
      const registers = new Map(rows.map(({ key, value }) => [key, Buffer.from(value).toString()]))
      this.#installLater(effects.stage.from, { position, registers })
    }
    this.#answerReads()
  }

  #persist(request: PersistRequest): void {
    const { snapshot, remove, entries, hardState, sequence } = request
    const staged = this.#staged
    if (snapshot !== undefined) {
      this.#visible.clear()
      if (staged?.position !== snapshot) throw new Error('another snapshot is staged')
      this.registers = staged.registers
      this.members = snapshot.members
    }
    if (remove !== undefined) for (let at = remove.from; at < remove.to; at += 1) this.#visible.delete(at)
    for (const entry of entries) this.#visible.set(entry.index, entry)
    const first = entries[0]
    if (first !== undefined) this.sim.checks.written(entries, this.raft?.log.termAt(first.index - 1))
    this.#write((disk) => {
      if (snapshot !== undefined) {
        disk.entries = []
        disk.base = { index: snapshot.index, term: snapshot.term }
        disk.appliedIndex = snapshot.index
        disk.members = snapshot.members
        disk.registers = staged?.registers ?? new Map()
      }
      if (remove !== undefined) disk.entries = disk.entries.filter((entry) => entry.index < remove.from)
      disk.entries.push(...entries)
      if (hardState !== undefined) disk.hardState = hardState
    })
    const incarnation = this.#incarnation
    const covered = this.#writes.at(-1)
    this.sim.time.after(this.sim.random.between(1, 15) * this.diskFactor, () => {
      if (this.#incarnation !== incarnation) return
      const count = covered === undefined ? 0 : this.#writes.indexOf(covered) + 1
      for (const { change } of this.#writes.splice(0, count)) change(this.disk)
      this.#step({ type: 'persisted', sequence })
    })
  }

  #write(change: (disk: DiskState) => void): void {
    this.#writes.push({ change })
  }

  #applyLater(entries: readonly Entry[]): void {
    const incarnation = this.#incarnation
    this.sim.time.after(this.sim.random.between(0, 5), () => {
      if (this.#incarnation !== incarnation) return
      this.#apply(entries)
    })
  }

  #apply(entries: readonly Entry[]): void {
    const registers = new Map(this.registers)
    const answers: (() => void)[] = []
    let last = 0
    for (const entry of entries) {
      this.sim.checks.applied(this.nodeId, entry)
      last = entry.index
      if (entry.kind === 'members') this.members = entry.members
      if (entry.kind !== 'command') continue
      const command = JSON.parse(Buffer.from(entry.data).toString()) as SimCommand
      const set = command.expect === undefined || (registers.get(command.key) ?? null) === command.expect
      if (set) registers.set(command.key, command.value)
      const waiting = this.#waiting.get(entry.index)
      this.#waiting.delete(entry.index)
      if (waiting?.term === entry.term) answers.push(() => waiting.done(set))
    }
    this.registers = registers
    const { members } = this
    this.#write((disk) => {
      disk.appliedIndex = last
      disk.registers = registers
      disk.members = members
    })
    for (const answer of answers) answer()
    this.#step({ type: 'applied', index: last })
  }

  #answerReads(): void {
    for (const [id, { index, done }] of this.#reads) {
      if (index === undefined || index > (this.raft?.log.applied ?? 0)) continue
      this.#reads.delete(id)
      done(this.registers)
    }
  }

  #sendSnapshot(to: string): void {
    const { raft } = this
    if (raft === undefined) return
    const { applied } = raft.log
    const term = raft.log.termAt(applied)
    if (term === undefined) throw new Error('the term of the applied index is unknown')
    const position = { index: applied, term, members: raft.membership.at(applied) }
    const rows = [...this.registers].map(([key, value]) => ({ key, value: Buffer.from(value) }))
    const envelope = { type: 'snapshot', from: this.nodeId, to, term: raft.term } as const
    this.sim.send({ ...envelope, position, transferId: '', chunk: 0, last: true, rows })
    const incarnation = this.#incarnation
    const index = this.sim.random.chance(0.7) ? applied : undefined
    this.sim.time.after(this.sim.random.between(50, 300), () => {
      if (this.#incarnation === incarnation) this.#step({ type: 'snapshotSent', to, index })
    })
  }

  #installLater(from: string, staged: StagedSnapshot): void {
    const incarnation = this.#incarnation
    this.sim.time.after(this.sim.random.between(1, 50), () => {
      if (this.#incarnation !== incarnation) return
      this.#staged = staged
      this.#step({ type: 'snapshotStaged', from, position: staged.position })
    })
  }

  #readLog(from: number, to: number, bytesMax: number): readonly Entry[] {
    const entries: Entry[] = []
    let bytes = 0
    for (let index = from; index < to && (entries.length === 0 || bytes < bytesMax); index += 1) {
      const entry = this.#visible.get(index)
      if (entry === undefined) throw new Error(`${this.nodeId} lacks entry ${index}`)
      bytes += 100
      entries.push(entry)
    }
    return entries
  }
}

export class RaftSim {
  readonly random: SeededRandom
  readonly time = new Timeline()
  readonly checks = new RaftChecks()
  readonly limits: RaftLimits
  readonly nodes = new Map<string, SimNode>()
  readonly #blocked = new Set<string>()
  dropChance = 0
  duplicateChance = 0
  /** Share of messages that take up to 2.5 s. */
  slowChance = 0
  /** Messages arrive in the order in which they were sent, as over one connection. */
  ordered = false
  /** Set to see what happens: SIM_TRACE=1. */
  readonly #tracing = process.env.SIM_TRACE === '1'

  constructor(seed: number) {
    this.random = new SeededRandom(seed)
    // Some groups like to duel, and some have time for it.
    const spread = this.random.pick([30, 200, 1_000])
    this.limits = {
      ...simLimits,
      electionTimeoutMaxMs: simLimits.electionTimeoutMinMs + spread,
      // One entry a message, or a few.
      appendBytesMax: this.random.pick([100, simLimits.appendBytesMax]),
    }
  }

  node(nodeId: string): SimNode {
    const node = this.nodes.get(nodeId)
    if (node === undefined) throw new Error(`no node ${nodeId}`)
    return node
  }

  /** Adds and starts a node with an empty disk. */
  add(nodeId: string, members: readonly Member[]): SimNode {
    const node = new SimNode(this, nodeId, members)
    this.nodes.set(nodeId, node)
    node.start()
    return node
  }

  /** Blocks messages from one node to another. */
  block(from: string, to: string): void {
    this.#blocked.add(`${from}>${to}`)
  }

  unblockAll(): void {
    this.#blocked.clear()
  }

  send(message: RaftMessage): void {
    if (this.random.chance(this.dropChance)) return
    const copies = this.random.chance(this.duplicateChance) ? 2 : 1
    for (let copy = 0; copy < copies; copy += 1) {
      const delayMs = this.ordered
        ? 2
        : this.random.chance(this.slowChance)
          ? this.random.between(10, 2_500)
          : this.random.between(0.5, 10)
      this.time.after(delayMs, () => {
        // A link that is cut loses what is on its way.
        if (this.#blocked.has(`${message.from}>${message.to}`)) return
        this.nodes.get(message.to)?.receive(message)
      })
    }
  }

  /** The leader of the highest term, as far as a client could find it. */
  leader(): SimNode | undefined {
    let found: SimNode | undefined
    for (const node of this.nodes.values()) {
      if (node.raft?.role !== 'leader') continue
      if (found?.raft === undefined || node.raft.term > found.raft.term) found = node
    }
    return found
  }

  trace(nodeId: string, event: RaftEvent, raft: RaftState): void {
    if (!this.#tracing) return
    const what = event.type === 'message' ? JSON.stringify(event.message) : JSON.stringify(event)
    if (event.type === 'tick' && raft.role === 'leader') return
    const { term, role, log } = raft
    const state = `t${term} ${role} last=${log.lastIndex} commit=${log.committed} applied=${log.applied}`
    console.log(`${this.time.now.toFixed(1)} ${nodeId} ${what.slice(0, 200)} => ${state}`)
  }
}
