/**
 * One seeded run of whole hosts: clients that retry, a nemesis, healing; then the history must be linearizable, no
 * request applied twice, all rows equal.
 */
import assert from 'node:assert/strict'
import type { Group } from '../../node/services/replica.ts'
import { type KvCommand, kvMachine } from './kv-machine.ts'
import { isLinearizable, type RegisterInput, type RegisterOutput, registerModel } from './linearizability.ts'
import { mayRetry, ReplicaSim } from './replica-sim.ts'

const keys = ['a', 'b', 'c', 'd']
const founders = ['n1', 'n2', 'n3']

interface OpenOperation {
  readonly key: string
  readonly input: RegisterInput
  readonly invokedAt: number
  output: RegisterOutput | undefined
  returnedAt: number
}

class Run {
  readonly sim: ReplicaSim
  readonly history: OpenOperation[] = []
  faulty = true
  #serial = 0

  constructor(seed: number) {
    this.sim = new ReplicaSim({ seed, machine: kvMachine, founders })
  }

  /** One client: an operation after another, each until it has an answer. */
  async client(): Promise<void> {
    const { sim } = this
    while (this.faulty) {
      await this.pause(5, 200)
      if (sim.random.chance(0.1)) this.#count()
      const key = sim.random.pick(keys)
      const operation: OpenOperation = {
        key,
        input: this.#draw(key),
        invokedAt: sim.time.now,
        output: undefined,
        returnedAt: Number.POSITIVE_INFINITY,
      }
      this.history.push(operation)
      operation.output = await this.#perform(operation)
      if (operation.output !== undefined) operation.returnedAt = sim.time.now
    }
  }

  /** A command that needs a scan: applying it takes several turns of the event loop. Nobody waits for it. */
  #count(): void {
    const command: KvCommand = { op: 'count', prefix: '', into: 'count' }
    const options = { requestId: this.sim.random.hex(8), timeoutMs: 800 }
    this.sim.leader?.group.propose(command, options).catch((cause: unknown) => {
      if (!mayRetry(cause)) throw cause
    })
  }

  pause(minMs: number, maxMs: number): Promise<void> {
    const { sim } = this
    return new Promise((resolve) => {
      sim.time.after(sim.random.between(minMs, maxMs), resolve)
    })
  }

  #draw(key: string): RegisterInput {
    const { random } = this.sim
    this.#serial += 1
    // Long enough that a state is many chunks.
    const value = `${this.#serial}-${'x'.repeat(random.below(120))}`
    const kind = random.float()
    if (kind < 0.4) return { op: 'read' }
    if (kind < 0.75) return { op: 'write', value }
    const current = this.sim.leader?.group.get(key)
    const expect = random.chance(0.7) ? current && Buffer.from(current).toString() : 'nonsense'
    return { op: 'cas', expect, value }
  }

  /** Tries until there is an answer, as a gateway does, or the client gives up. */
  async #perform({ key, input }: OpenOperation): Promise<RegisterOutput | undefined> {
    const { sim } = this
    const requestId = sim.random.hex(8)
    for (let attempt = 0; attempt < 40; attempt += 1) {
      const group = sim.random.chance(0.7)
        ? sim.leader?.group
        : sim.group(sim.random.pick([...sim.replicas.keys()]))
      try {
        if (group !== undefined) return await attemptOn(group, { key, input, requestId })
      } catch (cause) {
        if (!mayRetry(cause)) throw cause
      }
      await this.pause(20, 400)
    }
    return undefined
  }

  async nemesis(): Promise<void> {
    const { sim } = this
    const all = [
      () => this.#crash(sim.random.pick([...sim.replicas.keys()])),
      () => this.#crash(sim.leader?.nodeId ?? 'n1'),
      () => this.#crash(sim.random.pick([...sim.replicas.keys()])),
      () => this.#longCrash(),
      () => sim.cut([...sim.replicas.keys()].filter(() => sim.random.chance(0.4))),
      () => sim.cut([sim.leader?.nodeId ?? 'n1']),
      () => sim.unblockAll(),
      () => sim.unblockAll(),
      () => sim.setDiskFactor(sim.random.pick([...sim.replicas.keys()]), sim.random.pick([1, 1, 5, 30])),
      () => {
        sim.dropChance = sim.random.pick([0, 0, 0.1, 0.3])
      },
      () => sim.leader?.group.transferLeadership(sim.random.pick([...sim.replicas.keys()])),
      () => this.#membership(),
      () => this.#membership(),
    ]
    const faults = all.filter(() => sim.random.chance(0.7))
    while (this.faulty) {
      await this.pause(50, 1_000)
      if (this.faulty && faults.length > 0) sim.random.pick(faults)()
    }
  }

  heal(): void {
    this.faulty = false
    this.sim.unblockAll()
    this.sim.dropChance = 0
    for (const nodeId of this.sim.replicas.keys()) {
      this.sim.setDiskFactor(nodeId, 1)
      void this.sim.start(nodeId)
    }
  }

  #crash(nodeId: string, downMaxMs = 1_500): void {
    const { sim } = this
    sim.crash(nodeId)
    const downMs = sim.random.chance(0.5) ? sim.random.between(1, 30) : sim.random.between(1, downMaxMs)
    sim.time.after(downMs, () => void sim.start(nodeId))
  }

  /** Down for so long that the log has gone on without it. */
  #longCrash(): void {
    this.#crash(this.sim.random.pick([...this.sim.replicas.keys()]), 10_000)
  }

  #membership(): void {
    const { sim } = this
    const group = sim.leader?.group
    const members = group?.status().members ?? []
    if (group === undefined) return
    const learner = members.find((member) => member.learner)
    const absent = [...founders, 'n4'].find((id) => !members.some(({ nodeId }) => nodeId === id))
    const change = (next: typeof members) =>
      group.changeMembers(next, 3_000).catch((cause: unknown) => {
        if (!mayRetry(cause)) throw cause
      })
    if (learner !== undefined) {
      const rest = members.filter((member) => member !== learner)
      void change([...rest, { nodeId: learner.nodeId, learner: false }])
    } else if (absent !== undefined) {
      if (!sim.replicas.has(absent)) sim.add(absent, [{ nodeId: absent, learner: true }])
      void sim.start(absent)
      void change([...members, { nodeId: absent, learner: true }])
    } else {
      const leaving = sim.random.pick(members)
      void change(members.filter((member) => member !== leaving))
    }
  }
}

async function attemptOn(
  group: Group,
  { key, input, requestId }: { key: string; input: RegisterInput; requestId: string },
): Promise<RegisterOutput> {
  if (input.op === 'read') {
    await group.readBarrier(800)
    const value = group.get(key)
    return { value: value && Buffer.from(value).toString() }
  }
  const command: KvCommand =
    input.op === 'write'
      ? { op: 'put', key, value: input.value }
      : { op: 'cas', key, expect: input.expect ?? null, value: input.value }
  const reply = (await group.propose(command, { requestId, timeoutMs: 800 })) as { refused?: boolean }
  return input.op === 'write' ? { written: true } : { set: reply.refused !== true }
}

export interface ReplicaRunSummary {
  readonly operations: number
  readonly answered: number
  /** Replicas whose log does not begin at 1: compacted, or made from a snapshot. */
  readonly compacted: number
  readonly lastIndex: number
  readonly snapshots: number
  readonly laterChunks: number
  readonly repeatedRequests: number
}

/**
 * Runs one seed.
 *
 * @throws Error naming the seed when a property is violated
 */
export async function runReplicaWorkload(seed: number, faultsMs = 15_000): Promise<ReplicaRunSummary> {
  try {
    return await runSeed(seed, faultsMs)
  } catch (cause) {
    throw new Error(`seed ${seed}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  }
}

async function runSeed(seed: number, faultsMs: number): Promise<ReplicaRunSummary> {
  const run = new Run(seed)
  const { sim } = run
  for (const nodeId of founders) void sim.start(nodeId)
  const errors: unknown[] = []
  const note = (cause: unknown) => errors.push(cause)
  for (let client = 0; client < 4; client += 1) run.client().catch(note)
  run.nemesis().catch(note)
  await sim.runUntil(faultsMs)
  run.heal()
  await agree(run)
  if (errors.length > 0) throw errors[0]
  for (const key of keys) {
    const history = run.history.filter(
      (operation) =>
        operation.key === key && (operation.input.op !== 'read' || operation.output !== undefined),
    )
    assert.ok(isLinearizable(registerModel, history), `the history of key ${key} is not linearizable`)
  }
  const groups = [...sim.replicas.values()].flatMap(({ group }) => group?.status() ?? [])
  return {
    operations: run.history.length,
    answered: run.history.filter(({ output }) => output !== undefined).length,
    compacted: groups.filter((status) => status.firstIndex > 1).length,
    lastIndex: Math.max(...groups.map((status) => status.lastIndex)),
    snapshots: sim.snapshots,
    laterChunks: sim.laterChunks,
    repeatedRequests: sim.repeatedRequests,
  }
}

/** The healed group serves, its members catch up and hold the same rows. */
async function agree({ sim }: Run): Promise<void> {
  let written = false
  const write = async () => {
    while (!written) {
      try {
        await sim.leader?.group.propose(
          { op: 'put', key: 'final', value: 'x' },
          { requestId: 'final', timeoutMs: 2_000 },
        )
        written = sim.leader !== undefined
      } catch (cause) {
        if (!mayRetry(cause)) throw cause
      }
      await new Promise<void>((resolve) => {
        sim.time.after(300, resolve)
      })
    }
  }
  let failure: unknown
  write().catch((cause: unknown) => {
    failure = cause
  })
  const deadline = sim.time.now + 40_000
  await sim.runUntil(deadline, () => written)
  if (failure !== undefined) throw failure
  assert.ok(written, 'the healed group does not serve')
  const caughtUp = () => {
    const status = sim.leader?.group.status()
    if (status === undefined) return false
    return status.members.every(({ nodeId }) => sim.group(nodeId)?.status().appliedIndex === status.lastIndex)
  }
  await sim.runUntil(deadline, caughtUp)
  assert.ok(caughtUp(), 'the members do not catch up')
  const leader = sim.leader
  if (leader === undefined) return
  const expected = await sim.rows(leader.nodeId)
  for (const { nodeId } of leader.group.status().members) assert.deepEqual(await sim.rows(nodeId), expected)
}
