/**
 * One seeded run: clients read and write registers while a nemesis breaks things; then everything heals, the group
 * must serve again, agree, and the history must be linearizable.
 */
import assert from 'node:assert/strict'
import type { Member } from '../../node/core/raft-messages.ts'
import {
  isLinearizable,
  type Operation,
  type RegisterInput,
  type RegisterOutput,
  registerModel,
} from './linearizability.ts'
import { RaftSim, type SimCommand, type SimNode } from './raft-sim.ts'
import type { SeededRandom } from './random.ts'

export interface WorkloadOptions {
  readonly seed: number
  /** Virtual ms with faults. */
  readonly faultsMs?: number
}

interface OpenOperation {
  readonly key: string
  readonly input: RegisterInput
  readonly invokedAt: number
  output: RegisterOutput | undefined
  returnedAt: number
}

const keys = ['a', 'b', 'c', 'd', 'e', 'f']
/** Nodes that the group starts with, and those that membership changes bring in. */
const founders = ['n1', 'n2', 'n3']
const spares = ['n4', 'n5']

class Run {
  readonly sim: RaftSim
  readonly random: SeededRandom
  readonly history: OpenOperation[] = []
  #commands = 0
  #faulty = true
  /** Chosen per run, so that some runs have no crashes, others no partitions and so on. */
  readonly #faults: (() => void)[]
  /** Longest time between two faults. */
  readonly #pauseMs: number

  constructor(seed: number) {
    this.sim = new RaftSim(seed)
    this.random = this.sim.random
    const members = founders.map((nodeId) => ({ nodeId, learner: false }))
    for (const nodeId of founders) this.sim.add(nodeId, members)
    const all = [
      () => this.#crash(),
      () => this.#crash(),
      () => this.#crashLeader(),
      () => this.#crashLeader(),
      () => this.#isolateLeader(),
      () => this.#isolateLeader(),
      () => this.#partition(),
      () => this.#partition(),
      () => this.#oneWay(),
      () => this.#network(),
      () => this.#clock(),
      () => this.#slowDisk(),
      () => this.#transfer(),
      () => this.#membership(),
      () => this.#membership(),
      () => this.#compaction(),
    ]
    this.#faults = all.filter(() => this.random.chance(0.6))
    this.#pauseMs = this.random.pick([150, 500, 1_500])
  }

  get up(): SimNode[] {
    return [...this.sim.nodes.values()].filter((node) => node.up)
  }

  client(): void {
    const next = () => this.sim.time.after(this.random.between(5, 250), () => this.client())
    const key = this.random.pick(keys)
    // A client believes the leader to be where it found it, and is sometimes wrong.
    const leaders = [...this.sim.nodes.values()].filter(({ raft }) => raft?.role === 'leader')
    const believed = leaders.length === 0 ? undefined : this.random.pick(leaders)
    const node = this.random.chance(0.9) ? believed : this.random.pick([...this.sim.nodes.values()])
    if (node === undefined || !this.#faulty) {
      if (this.#faulty) next()
      return
    }
    const operation: OpenOperation = {
      key,
      input: this.#draw(key),
      invokedAt: this.sim.time.now,
      output: undefined,
      returnedAt: Number.POSITIVE_INFINITY,
    }
    let over = false
    const finish = (output: RegisterOutput) => {
      if (over) return
      over = true
      operation.output = output
      operation.returnedAt = this.sim.time.now
      next()
    }
    this.history.push(operation)
    if (!this.#invoke(node, operation, finish)) {
      this.history.pop()
      over = true
      next()
      return
    }
    // Nobody waits for ever: the outcome stays open.
    this.sim.time.after(1_500, () => {
      if (over) return
      over = true
      next()
    })
  }

  #draw(key: string): RegisterInput {
    this.#commands += 1
    const value = `v${this.#commands}`
    const kind = this.random.float()
    if (kind < 0.4) return { op: 'read' }
    if (kind < 0.75) return { op: 'write', value }
    const expect = this.random.chance(0.7) ? this.sim.leader()?.registers.get(key) : 'nonsense'
    return { op: 'cas', expect, value }
  }

  #invoke(node: SimNode, { key, input }: OpenOperation, finish: (output: RegisterOutput) => void): boolean {
    if (input.op === 'read') return node.read((registers) => finish({ value: registers.get(key) }))
    const base = { id: this.#commands, key, value: input.value }
    const command: SimCommand = input.op === 'cas' ? { ...base, expect: input.expect ?? null } : base
    return node.propose(command, (set) => finish(input.op === 'cas' ? { set } : { written: true }))
  }

  nemesis(): void {
    if (!this.#faulty) return
    if (this.#faults.length > 0) this.random.pick(this.#faults)()
    this.sim.time.after(this.random.between(5, this.#pauseMs), () => this.nemesis())
  }

  /** Ends all faults for good. */
  heal(): void {
    this.#faulty = false
    this.sim.unblockAll()
    this.sim.dropChance = 0
    this.sim.duplicateChance = 0
    this.sim.slowChance = 0
    for (const node of this.sim.nodes.values()) {
      node.setClockRate(1)
      node.diskFactor = 1
      if (!node.up) node.start()
    }
  }

  #crash(): void {
    const node = this.random.pick([...this.sim.nodes.values()])
    this.#crashAndRestart(node)
    if (this.random.chance(0.1)) for (const other of this.up) this.#crashAndRestart(other)
  }

  #crashLeader(): void {
    const leader = this.sim.leader()
    if (leader !== undefined) this.#crashAndRestart(leader)
  }

  /** Half of the time so quickly that the others hardly notice. */
  #crashAndRestart(node: SimNode): void {
    if (node.up) node.crash()
    const downMs = this.random.chance(0.5) ? this.random.between(1, 30) : this.random.between(1, 4_000)
    this.sim.time.after(downMs, () => node.up || node.start())
  }

  /** Cuts off whoever leads, alone or with one follower, while clients still talk to it. */
  #isolateLeader(): void {
    const leader = this.sim.leader()
    if (leader === undefined) return
    this.sim.unblockAll()
    const company = this.random.pick([...this.sim.nodes.keys()])
    const left = this.random.chance(0.5) ? [leader.nodeId] : [leader.nodeId, company]
    this.#cut(left)
    this.sim.time.after(this.random.between(300, 5_000), () => this.sim.unblockAll())
  }

  #cut(left: readonly string[]): void {
    for (const a of this.sim.nodes.keys()) {
      for (const b of this.sim.nodes.keys()) if (left.includes(a) !== left.includes(b)) this.sim.block(a, b)
    }
  }

  #partition(): void {
    this.sim.unblockAll()
    if (this.random.chance(0.4)) return
    this.#cut([...this.sim.nodes.keys()].filter(() => this.random.chance(0.4)))
  }

  #oneWay(): void {
    const names = [...this.sim.nodes.keys()]
    const [from, to] = [this.random.pick(names), this.random.pick(names)]
    this.sim.block(from, to)
    this.sim.time.after(this.random.between(500, 4_000), () => this.sim.unblockAll())
  }

  #network(): void {
    this.sim.dropChance = this.random.chance(0.5) ? this.random.between(0, 0.3) : 0
    this.sim.duplicateChance = this.random.chance(0.5) ? this.random.between(0, 0.3) : 0
    this.sim.slowChance = this.random.chance(0.5) ? this.random.between(0, 0.3) : 0
  }

  #clock(): void {
    const node = this.random.pick([...this.sim.nodes.values()])
    node.setClockRate(this.random.chance(0.3) ? this.random.between(0, 20) : this.random.between(0.8, 1.2))
  }

  #slowDisk(): void {
    const node = this.random.pick([...this.sim.nodes.values()])
    node.diskFactor = this.random.chance(0.5) ? this.random.between(1, 60) : 1
  }

  #transfer(): void {
    this.sim.leader()?.transfer(this.random.pick([...this.sim.nodes.keys()]))
  }

  #compaction(): void {
    for (const { raft, compact, nodeId } of this.up) {
      if (raft === undefined || !this.random.chance(0.6)) continue
      const index = raft.log.applied - this.random.below(8)
      if (index > raft.log.baseIndex) compact.call(this.sim.node(nodeId), index)
    }
  }

  /** Adds a learner, makes one a voter, or removes somebody, as an operator would. */
  #membership(): void {
    const leader = this.sim.leader()
    const members = leader?.raft?.membership.members
    if (leader === undefined || members === undefined) return
    const absent = [...founders, ...spares].filter((id) => !members.some(({ nodeId }) => nodeId === id))
    const learner = members.find((member) => member.learner)
    const choice = this.random.float()
    if (choice < 0.1) {
      // More than one step at a time: has to be refused.
      const wild = [...this.sim.nodes.keys()].filter(() => this.random.chance(0.6))
      leader.changeMembers(wild.map((nodeId) => ({ nodeId, learner: false })))
    } else if (learner !== undefined && choice < 0.5) {
      leader.changeMembers(replace(members, { nodeId: learner.nodeId, learner: false }))
    } else if (absent.length > 0 && choice < 0.75) {
      const nodeId = this.random.pick(absent)
      if (!this.sim.nodes.has(nodeId)) this.sim.add(nodeId, [{ nodeId, learner: true }])
      leader.changeMembers(replace(members, { nodeId, learner: true }))
    } else if (members.length > 2) {
      const { nodeId } = this.random.pick(members)
      leader.changeMembers(members.filter((member) => member.nodeId !== nodeId))
    }
  }
}

function replace(members: readonly Member[], changed: Member): Member[] {
  return [...members.filter((member) => member.nodeId !== changed.nodeId), changed]
}

export interface RunSummary {
  readonly operations: number
  readonly answered: number
  readonly applied: number
  readonly highestTerm: number
}

/**
 * Runs one seed.
 *
 * @throws AssertionError naming the seed when a property is violated
 */
export function runRaftWorkload({ seed, faultsMs = 20_000 }: WorkloadOptions): RunSummary {
  try {
    return runSeed(seed, faultsMs)
  } catch (cause) {
    throw new Error(`seed ${seed}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  }
}

function runSeed(seed: number, faultsMs: number): RunSummary {
  const run = new Run(seed)
  const { sim } = run
  for (let client = 0; client < 4; client += 1) run.client()
  run.nemesis()
  sim.time.runUntil(faultsMs)
  run.heal()
  const written = serveAgain(run)
  agree(run, written)
  for (const key of keys) {
    // A read that nobody saw the answer of constrains nothing.
    const history: Operation<RegisterInput, RegisterOutput>[] = run.history.filter(
      (operation) =>
        operation.key === key && (operation.input.op !== 'read' || operation.output !== undefined),
    )
    assert.ok(isLinearizable(registerModel, history), `the history of key ${key} is not linearizable`)
  }
  return {
    operations: run.history.length,
    answered: run.history.filter(({ output }) => output !== undefined).length,
    applied: sim.checks.appliedCount,
    highestTerm: Math.max(...[...sim.nodes.values()].map((node) => node.raft?.term ?? 0)),
  }
}

/** Liveness: within ten election timeouts of the healing a write goes through. */
function serveAgain(run: Run): string {
  const { sim } = run
  const deadline = sim.time.now + 10 * sim.limits.electionTimeoutMaxMs
  let written = false
  const attempt = () => {
    if (written) return
    sim.leader()?.propose({ id: -1, key: 'final', value: 'healed' }, () => {
      written = true
    })
    sim.time.after(500, attempt)
  }
  attempt()
  while (!written) assert.ok(sim.time.step(deadline), 'the healed group does not serve')
  return 'healed'
}

/** All members catch up to the same state. */
function agree(run: Run, value: string): void {
  const { sim } = run
  const deadline = sim.time.now + 10 * sim.limits.electionTimeoutMaxMs
  const agreed = () => {
    const leader = sim.leader()
    if (leader?.raft === undefined) return false
    const { applied } = leader.raft.log
    return leader.raft.membership.members.every(({ nodeId }) => {
      const { raft, registers } = sim.node(nodeId)
      return raft?.log.applied === applied && registers.get('final') === value
    })
  }
  while (!agreed()) assert.ok(sim.time.step(deadline), 'the members do not catch up')
  const leader = sim.leader()
  for (const { nodeId } of leader?.raft?.membership.members ?? []) {
    assert.deepEqual(sim.node(nodeId).registers, leader?.registers, `${nodeId} has another state`)
  }
}
