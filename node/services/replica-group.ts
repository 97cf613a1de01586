/**
 * One Raft group on this node: feeds events to the core, carries out its effects, answers proposers and readers.
 *
 * Invariants: events are handled one after another; persist requests go to the store in the core's order and are
 * reported when durable; one batch of committed entries is applied at a time; everybody who waits is answered or
 * refused exactly once. Elections, order and safety are the core's business, bytes on disk the storage's.
 */
import { createRaft, type RaftEvent, step } from '../core/raft.ts'
import type { Entry, Member, RaftMessage, SnapshotPosition } from '../core/raft-messages.ts'
import type { RaftEffects, RaftState, Refusal } from '../core/raft-state.ts'
import type { StateMachine } from '../core/state-machine.ts'
import { ClusterError } from '../errors.ts'
import type { Clock, NodeId, Row, RowRange, RowSnapshot, RowStore } from '../world.ts'
import { type AppliedEntry, Applier } from './replica-apply.ts'
import { decodeCommand, encodeCommand, type GroupMessage } from './replica-codec.ts'
import type { ReplicaLimits } from './replica-limits.ts'
import { firstToKeep, journalLags } from './replica-log-bounds.ts'
import { Proposals } from './replica-proposals.ts'
import { Reads } from './replica-reads.ts'
import { decodeReply, RequestRing } from './replica-requests.ts'
import { SnapshotReceiver } from './replica-snapshot-receiver.ts'
import { type GroupIdentity, GroupStorage } from './replica-storage.ts'
import { SnapshotTransfers } from './replica-transfers.ts'

export interface GroupStatus {
  readonly groupId: string
  readonly epoch: number
  readonly role: RaftState['role']
  readonly term: number
  readonly leaderId: NodeId | undefined
  readonly commitIndex: number
  readonly appliedIndex: number
  readonly lastIndex: number
  readonly durableIndex: number
  readonly firstIndex: number
  readonly logBytes: number
  readonly members: readonly Member[]
  /** Proposals that are not answered yet. */
  readonly proposals: number
  /** Leader: how far each other member's log is known to match. */
  readonly followers: readonly { readonly nodeId: NodeId; readonly match: number; readonly state: string }[]
}

/** What a group needs from its host. */
export interface GroupSurroundings {
  readonly nodeId: NodeId
  readonly store: RowStore
  readonly clock: Clock
  readonly seed: number
  readonly limits: ReplicaLimits
  send(to: NodeId, message: GroupMessage): void
  /** Reserves the one transfer of a snapshot that a peer may receive at a time. False: try again later. */
  acquireTransfer(to: NodeId): boolean
  releaseTransfer(to: NodeId): void
  randomId(): string
  onFatal(cause: unknown): void
}

interface QueuedEvent {
  readonly event: RaftEvent
  readonly onProposal: ((proposal: NonNullable<RaftEffects['proposal']>) => void) | undefined
}

type CommittedListener = (entries: readonly AppliedEntry[]) => void

/** A committed entry as the log holds it, decoded. */
export interface LogRecord {
  readonly index: number
  readonly term: number
  readonly kind: Entry['kind']
  readonly requestId?: string
  /** Who proposed it. */
  readonly actor?: string
  /** Wall clock of the leader that took it, ms. */
  readonly leaderMs?: number
  readonly command?: unknown
  readonly members?: readonly Member[]
}

/** A consistent view of the group's rows. */
export interface GroupSnapshot {
  readonly appliedIndex: number
  scan(range: RowRange): AsyncIterable<Row>
  close(): Promise<void>
}

export class Group {
  readonly groupId: string
  readonly epoch: number
  readonly #around: GroupSurroundings
  readonly #storage: GroupStorage
  readonly #requests: RequestRing
  readonly #applier: Applier
  readonly #raft: RaftState
  readonly #events: QueuedEvent[] = []
  readonly #proposals: Proposals
  readonly #reads = new Reads()
  readonly #receiver: SnapshotReceiver
  readonly #transfers: SnapshotTransfers
  /** The journal needs the log from here on. */
  #retainedFrom = Number.POSITIVE_INFINITY
  readonly #committedListeners = new Set<CommittedListener>()
  readonly #leadershipListeners = new Set<() => void>()
  #persisting = 0
  #proposing = false
  #stepping = false
  #closed = false

  private constructor(around: GroupSurroundings, storage: GroupStorage, parts: GroupParts) {
    this.groupId = storage.groupId
    this.epoch = parts.identity.epoch
    this.#around = around
    this.#storage = storage
    this.#raft = parts.raft
    this.#requests = parts.requests
    this.#proposals = new Proposals(around.limits)
    this.#applier = new Applier({
      store: around.store,
      storage,
      machine: parts.machine,
      requests: parts.requests,
      onWrite: (write) => this.#watch(write),
    })
    this.#transfers = new SnapshotTransfers({
      nodeId: around.nodeId,
      store: around.store,
      storage,
      limits: around.limits,
      position: () => this.#position(),
      term: () => this.#raft.term,
      acquire: (to) => around.acquireTransfer(to),
      release: (to) => around.releaseTransfer(to),
      randomId: () => around.randomId(),
      send: (message) => this.#say(message),
      onEnd: (to, index) => this.#handle({ type: 'snapshotSent', to, index }),
      onFatal: (cause) => this.#fatal(cause),
    })
    this.#receiver = new SnapshotReceiver({
      storage,
      reply: ({ from, transferId }, nextChunk) => {
        const { nodeId } = around
        this.#say({
          type: 'snapshotReply',
          from: nodeId,
          to: from,
          term: this.#raft.term,
          transferId,
          nextChunk,
        })
      },
      onComplete: (from, position) => this.#handle({ type: 'snapshotStaged', from, position }),
      onFatal: (cause) => this.#fatal(cause),
    })
  }

  /**
   * Opens the replica of a group, or founds it.
   *
   * `identity.members` founds a new group; they must be the same on all of its first members. A node that joins
   * later names itself as a learner.
   */
  static async open(
    around: GroupSurroundings,
    identity: GroupIdentity,
    machine: StateMachine,
  ): Promise<Group> {
    const storage = new GroupStorage(identity.groupId, around.store)
    const persisted = await storage.load(identity)
    const requests = await RequestRing.load(storage.scan(around.store, 'q/'))
    const config = { nodeId: around.nodeId, seed: around.seed, limits: around.limits.raft }
    const raft = createRaft(config, persisted, storage, around.clock.monotonicMs())
    return new Group(around, storage, { identity, machine, requests, raft })
  }

  /**
   * Has a command applied by all replicas and resolves with the reply of the state machine, once it is committed
   * on a majority and applied here. Repeating it with the same `requestId` is safe and answers the same.
   *
   * @throws ClusterError NotLeader (details.leaderId: whom to ask, when known; also when leadership is lost while
   *   waiting: the command may still be committed), Overloaded, Timeout, GroupUnavailable
   */
  propose(
    command: unknown,
    options: { requestId: string; timeoutMs: number; actor?: string },
  ): Promise<unknown> {
    if (this.#closed) return Promise.reject(this.#unavailable('the group is closed'))
    if (this.#raft.role !== 'leader') return Promise.reject(this.#notLeader())
    const answered = this.#requests.find(options.requestId, this.#raft.log.applied)
    const answer = answered === undefined ? undefined : this.#storage.get('q/', answered)
    if (answer !== undefined) return Promise.resolve(decodeReply(answer))
    if (this.#proposals.isFull || journalLags(this.#storage, this.#around.limits, this.#retainedFrom)) {
      return Promise.reject(
        new ClusterError('Overloaded', `group ${this.groupId} takes no more proposals now`),
      )
    }
    const { requestId, actor } = options
    const { clock } = this.#around
    const leaderMs = Math.max(0, Math.floor(clock.wallMs()))
    const data = encodeCommand({ requestId, actor, leaderMs, command })
    const deadlineMs = clock.monotonicMs() + options.timeoutMs
    return new Promise((resolve, reject) => {
      this.#proposals.queue({ data, deadlineMs, resolve, reject })
      this.#proposeQueued()
    })
  }

  /**
   * Resolves when the rows here are at least as new as every write that was acknowledged before the call
   * (ReadIndex).
   *
   * @throws ClusterError NotLeader, Overloaded, Timeout, GroupUnavailable
   */
  readBarrier(timeoutMs: number): Promise<void> {
    if (this.#closed) return Promise.reject(this.#unavailable('the group is closed'))
    if (this.#raft.role !== 'leader') return Promise.reject(this.#notLeader())
    if (this.#reads.count >= this.#around.limits.readsMax) {
      return Promise.reject(new ClusterError('Overloaded', `group ${this.groupId} has too many reads`))
    }
    const deadlineMs = this.#around.clock.monotonicMs() + timeoutMs
    return this.#reads.add(deadlineMs, (id) => this.#handle({ type: 'read', id }))
  }

  /** A row as it is applied here; linearizable on the leader after `readBarrier`. */
  get(key: string): Uint8Array | undefined {
    return this.#storage.get('r/', key)
  }

  /** Rows as they are applied here when the iteration starts. */
  scan(range: RowRange): AsyncIterable<Row> {
    return this.#storage.scan(this.#around.store, 'r/', range)
  }

  /** A consistent view of the rows and the index up to which it has applied; its owner closes it. */
  snapshotRows(): GroupSnapshot {
    const snapshot: RowSnapshot = this.#around.store.snapshot()
    const storage = this.#storage
    return {
      appliedIndex: storage.appliedIndex,
      scan: (range) => storage.scan(snapshot, 'r/', range),
      close: () => snapshot.close(),
    }
  }

  status(): GroupStatus {
    const { log, role, term, leaderId, membership, progress } = this.#raft
    return {
      groupId: this.groupId,
      epoch: this.epoch,
      role,
      term,
      leaderId,
      commitIndex: log.committed,
      appliedIndex: log.applied,
      lastIndex: log.lastIndex,
      durableIndex: log.durable,
      firstIndex: log.firstIndex,
      logBytes: this.#storage.logSize.bytes,
      members: membership.members,
      proposals: this.#proposals.count,
      followers: [...progress].map(([nodeId, { match, state }]) => ({ nodeId, match, state })),
    }
  }

  /**
   * Calls `listener` with every committed command after it was applied here, in order. It must not throw.
   * Returns how to stop that.
   */
  onCommitted(listener: CommittedListener): () => void {
    this.#committedListeners.add(listener)
    return () => this.#committedListeners.delete(listener)
  }

  /** Calls `listener` after role, term or leader have changed; `status` tells to what. */
  onLeadership(listener: () => void): () => void {
    this.#leadershipListeners.add(listener)
    return () => this.#leadershipListeners.delete(listener)
  }

  /**
   * Committed entries of every kind from `fromIndex` on, consecutive, at most `limit`; empty when `fromIndex` is
   * compacted or not committed.
   */
  entries(fromIndex: number, limit: number): LogRecord[] {
    const { log } = this.#raft
    if (fromIndex < log.firstIndex) return []
    const to = Math.min(log.committed + 1, fromIndex + limit)
    return log.slice(fromIndex, to, this.#around.limits.raft.applyBytesMax).map(toRecord)
  }

  /**
   * The journal has taken all entries before `index`: the log may be compacted up to there. Before the first call
   * the log is compacted as its bounds say; `retainFrom(0)` holds everything.
   */
  retainFrom(index: number): void {
    this.#retainedFrom = index
  }

  /**
   * Changes the members by one voter (or any number of learners). Resolves when the change is committed and applied
   * here. A new member starts as a learner and is made a voter when it has caught up.
   *
   * @throws ClusterError NotLeader, Timeout, GroupUnavailable with details.reason: changePending,
   *   notSingleChange, learnerBehind, transferring
   */
  changeMembers(members: readonly Member[], timeoutMs: number): Promise<void> {
    if (this.#closed) return Promise.reject(this.#unavailable('the group is closed'))
    const deadlineMs = this.#around.clock.monotonicMs() + timeoutMs
    return new Promise((resolve, reject) => {
      this.#handle({ type: 'changeMembers', members }, (outcome) => {
        if ('refused' in outcome) reject(this.#refusal(outcome.refused))
        else {
          const { firstIndex: index, term } = outcome
          this.#proposals.place(
            { data: noData, deadlineMs, resolve: () => resolve(), reject },
            { index, term },
          )
        }
      })
    })
  }

  /** Gives leadership to a voter that is up to date; it may come to nothing, `status` tells. */
  transferLeadership(to: NodeId): void {
    this.#handle({ type: 'transferLeadership', to })
  }

  /** A message of a peer, whose identity the host has checked. */
  receive(message: RaftMessage): void {
    this.#handle({ type: 'message', message })
  }

  /** Time passed. */
  tick(): void {
    if (this.#closed) return
    const nowMs = this.#around.clock.monotonicMs()
    const late = () => new ClusterError('Timeout', `group ${this.groupId} did not answer in time`)
    this.#proposals.expire(nowMs, late)
    this.#reads.expire(nowMs, late)
    this.#transfers.tick(nowMs)
    this.#handle({ type: 'tick' })
  }

  /** Refuses everybody who waits; the replica does nothing any more. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    for (const { onProposal } of this.#events.splice(0)) onProposal?.({ refused: 'notLeader' })
    this.#proposals.refuse(this.#unavailable('the group was closed'))
    this.#reads.refuse(this.#unavailable('the group was closed'))
    this.#transfers.end()
  }

  #handle(event: RaftEvent, onProposal?: QueuedEvent['onProposal']): void {
    if (this.#closed) return
    this.#events.push({ event, onProposal })
    if (this.#stepping) return
    this.#stepping = true
    try {
      for (let next = this.#events.shift(); next !== undefined; next = this.#events.shift()) {
        const effects = step(this.#raft, next.event, this.#around.clock.monotonicMs())
        if (effects.proposal !== undefined) next.onProposal?.(effects.proposal)
        this.#perform(effects)
      }
    } catch (cause) {
      this.#fatal(cause)
    } finally {
      this.#stepping = false
    }
  }

  #perform(effects: RaftEffects): void {
    const { persist } = effects
    if (persist !== undefined) {
      const mutations = this.#storage.persist(persist, this.epoch)
      if (persist.snapshot !== undefined) this.#requests.adopt(this.#receiver.takeInstalled())
      this.#persisting += 1
      this.#around.store.write(mutations, { durable: true }).then(
        () => {
          this.#persisting -= 1
          this.#handle({ type: 'persisted', sequence: persist.sequence })
          if (persist.snapshot !== undefined) this.#watch(this.#storage.collectGarbage())
          this.#proposeQueued()
        },
        (cause) => this.#fatal(cause),
      )
    }
    for (const message of effects.messages) this.#say(message)
    if (effects.leadershipChanged && this.#raft.role !== 'leader') {
      this.#proposals.refuse(this.#notLeader())
      this.#transfers.end()
    }
    for (const { ids, index } of effects.reads) {
      this.#reads.confirm(ids, { index, applied: this.#raft.log.applied })
    }
    for (const id of effects.failedReads) this.#reads.fail(id, this.#notLeader())
    if (effects.committed.length > 0) this.#apply(effects.committed)
    const nowMs = this.#around.clock.monotonicMs()
    for (const to of effects.snapshotsTo) this.#transfers.start(to, nowMs)
    for (const reply of effects.snapshotReplies) this.#transfers.answered(reply, nowMs)
    if (effects.stage !== undefined) this.#receiver.receive(effects.stage)
    this.#settleStaged()
    if (effects.leadershipChanged) for (const listener of this.#leadershipListeners) listener()
  }

  /** Hands everything that waits to the core as one append, unless an fsync is under way: then it forms the next. */
  #proposeQueued(): void {
    if (this.#closed || this.#persisting > 0 || this.#proposing || !this.#proposals.hasQueued) return
    const batch = this.#proposals.takeBatch()
    this.#proposing = true
    const commands = batch.map((proposal) => proposal.data)
    this.#handle({ type: 'propose', commands }, (outcome) => {
      this.#proposing = false
      if ('refused' in outcome) {
        const refusal = this.#refusal(outcome.refused)
        for (const proposal of batch) proposal.reject(refusal)
        return
      }
      const { firstIndex, term } = outcome
      for (const [at, proposal] of batch.entries()) {
        this.#proposals.place(proposal, { index: firstIndex + at, term })
      }
    })
  }

  #apply(entries: readonly Entry[]): void {
    const results = this.#applier.apply(entries)
    if (!(results instanceof Promise)) {
      this.#applied(entries, results)
      return
    }
    results.then(
      (late) => this.#applied(entries, late),
      (cause) => this.#fatal(cause),
    )
  }

  #applied(entries: readonly Entry[], results: readonly AppliedEntry[]): void {
    const last = entries.at(-1)
    if (last === undefined || this.#closed) return
    const lost = () => this.#notLeader()
    for (const result of results) this.#proposals.answer(result, lost)
    for (const { kind, index, term } of entries) {
      if (kind === 'members') this.#proposals.answer({ index, term, reply: undefined }, lost)
    }
    this.#handle({ type: 'applied', index: last.index })
    this.#reads.applied(last.index)
    this.#compact()
    if (results.length > 0) for (const listener of this.#committedListeners) listener(results)
  }

  /** Where the rows stand: ahead of the core's own `applied` while that news is still on its way to it. */
  #position(): SnapshotPosition | undefined {
    const index = this.#storage.appliedIndex
    const term = this.#raft.log.termAt(index)
    return term === undefined ? undefined : { index, term, members: this.#raft.membership.at(index) }
  }

  /** A whole snapshot that the core did not want: the log had got there by itself. */
  #settleStaged(): void {
    if (this.#receiver.isComplete && this.#raft.staged === undefined) {
      this.#receiver.discard()
      this.#watch(this.#storage.collectGarbage())
    }
  }

  /** Forgets the oldest part of the log when it is over its bounds and nobody needs it. */
  #compact(): void {
    const { log, role } = this.#raft
    const first = firstToKeep(this.#storage, this.#around.limits, {
      journalFrom: this.#retainedFrom,
      transfers: this.#transfers.positions,
      leads: role === 'leader',
    })
    if (first === undefined) return
    // The core hears of what was applied before it hears of this.
    const index = Math.min(first - 1, this.#storage.appliedIndex)
    const term = log.termAt(index)
    if (term === undefined || index < this.#storage.firstIndex) return
    this.#watch(this.#around.store.write(this.#storage.trim(index, term), { durable: false }))
    this.#handle({ type: 'compacted', index })
  }

  #say(message: RaftMessage): void {
    this.#around.send(message.to, { groupId: this.groupId, epoch: this.epoch, message })
  }

  #refusal(refused: Refusal): ClusterError {
    if (refused === 'notLeader') return this.#notLeader()
    if (refused === 'overloaded') {
      return new ClusterError('Overloaded', `group ${this.groupId} has too much that is not committed`)
    }
    return this.#unavailable(refused)
  }

  #notLeader(): ClusterError {
    const { leaderId } = this.#raft
    const details = leaderId === undefined || leaderId === this.#around.nodeId ? {} : { leaderId }
    return new ClusterError('NotLeader', `this node does not lead group ${this.groupId}`, { details })
  }

  #unavailable(reason: string): ClusterError {
    return new ClusterError('GroupUnavailable', `group ${this.groupId}: ${reason}`, { details: { reason } })
  }

  #watch(write: Promise<void>): void {
    write.catch((cause) => this.#fatal(cause))
  }

  #fatal(cause: unknown): void {
    // Work in the background of a closed group ends with its store.
    if (this.#closed) return
    this.close()
    this.#around.onFatal(cause)
  }
}

const noData = new Uint8Array()

interface GroupParts {
  readonly identity: GroupIdentity
  readonly machine: StateMachine
  readonly requests: RequestRing
  readonly raft: RaftState
}

function toRecord(entry: Entry): LogRecord {
  const { index, term, kind } = entry
  if (kind === 'noop') return { index, term, kind }
  if (kind === 'members') return { index, term, kind, members: entry.members }
  const { requestId, actor, leaderMs, command } = decodeCommand(entry.data)
  return {
    index,
    term,
    kind,
    requestId,
    command,
    ...(actor === undefined ? {} : { actor }),
    ...(leaderMs === undefined ? {} : { leaderMs }),
  }
}
