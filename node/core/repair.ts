/**
 * What one blob needs: which shards are missing, which lie in the wrong place, and what to do about it, in order.
 *
 * Pure: facts in, plan out. Invariants: a plan never names a target where placement forbids shards (residency, role,
 * state); a move strictly improves the spread, so that planning again after carrying plans out comes to an end; while
 * shards are missing nothing healthy is moved. Leaves finding the facts and doing the work to repair-worker.ts.
 */
import type { ShardedBlob } from './catalog-types.ts'
import type { ClusterMap, MapNode, Pool } from './cluster-map.ts'
import { mayHold, placementTable, substitutesFor } from './placement.ts'

/**
 * good: the holder is up and has it. missing: up, and does not. down: not reachable, for a short time. lost: the holder
 * has left the map, is suspended, or has been down for longer than the repair delay.
 */
export type ShardState = 'good' | 'missing' | 'down' | 'lost'

/** What is known of nodes and their shards at the moment of planning. */
export interface RepairView {
  readonly map: Pick<ClusterMap, 'nodes'>
  /** Of the blob's bucket; undefined: unknown, then shards are only rebuilt where they are. */
  readonly pool: Pool | undefined
  readonly isUp: (nodeId: string) => boolean
  /** Whether a node that is down has been so for longer than the repair delay. */
  readonly isGone: (nodeId: string) => boolean
  /** Whether a node can take more shards now (has space, is not being spared). */
  readonly isWilling: (nodeId: string) => boolean
  /** Nodes whose inventories show this shard in the blob's generation; undefined: that inventory is not known. */
  readonly has: (nodeId: string, shardIndex: number) => boolean | undefined
}

export type RepairReason = 'missing' | 'lost' | 'draining' | 'doubled'

export interface RepairTask {
  readonly blobId: string
  readonly generation: number
  readonly shardIndex: number
  /** The catalog's holder. */
  readonly from: string
  /** Where the shard is to be; the same as `from`: rebuilt in place. */
  readonly to: string
  readonly reason: RepairReason
  /** For rebuild-shard; the entry of the shard itself names a node that has a copy. */
  readonly sources: readonly (string | undefined)[]
}

export interface BlobPlan {
  readonly states: readonly ShardState[]
  readonly good: number
  /** Smaller is more urgent: shards beyond k, then those that would survive a node, then a site. */
  readonly urgency: number
  /** Shards could be spread better than they are. */
  readonly misplaced: boolean
  /** In order; empty when nothing needs, or nothing can, be done. */
  readonly tasks: readonly RepairTask[]
}

/** Plans for one blob. */
export function planBlob(blob: ShardedBlob, view: RepairView): BlobPlan {
  const states = blob.holders.map((holder, index) => stateOf(view, holder, index))
  const good = states.filter((state) => state === 'good').length
  const urgency = urgencyOf(blob, view, states)
  if (good < blob.dataShards) return { states, good, urgency, misplaced: false, tasks: [] }
  const repairs = planRepairs(blob, view, states)
  const whole = states.every((state) => state === 'good' || state === 'down')
  const moves = whole ? planMoves(blob, view, states) : []
  return { states, good, urgency, misplaced: moves.length > 0, tasks: [...repairs, ...moves] }
}

function stateOf(view: RepairView, holder: string, shardIndex: number): ShardState {
  const node = nodeOf(view, holder)
  if (node === undefined || node.state === 'suspended') return 'lost'
  if (!view.isUp(holder)) return view.isGone(holder) ? 'lost' : 'down'
  // Not known is no reason to rebuild anything.
  return view.has(holder, shardIndex) === false ? 'missing' : 'good'
}

function nodeOf(view: RepairView, nodeId: string): MapNode | undefined {
  return view.map.nodes.find((node) => node.nodeId === nodeId)
}

/** Missing and lost shards, each to the best place given where those before it go. */
function planRepairs(blob: ShardedBlob, view: RepairView, states: readonly ShardState[]): RepairTask[] {
  const holders: (string | undefined)[] = blob.holders.map((holder, index) =>
    states[index] === 'good' || states[index] === 'down' ? holder : undefined,
  )
  const tasks: RepairTask[] = []
  for (const [shardIndex, from] of blob.holders.entries()) {
    const state = states[shardIndex]
    if (state !== 'missing' && state !== 'lost') continue
    const to = repairTarget(blob, view, { holders, shardIndex, from, state })
    if (to === undefined) continue
    holders[shardIndex] = to
    tasks.push(taskOf(blob, view, { states, shardIndex, to, reason: state }))
  }
  return tasks
}

function repairTarget(
  blob: ShardedBlob,
  view: RepairView,
  at: { holders: readonly (string | undefined)[]; shardIndex: number; from: string; state: ShardState },
): string | undefined {
  const { pool } = view
  const holder = nodeOf(view, at.from)
  const stays = pool === undefined || (holder !== undefined && mayHold(holder, pool))
  if (at.state === 'missing' && stays) return view.isWilling(at.from) ? at.from : undefined
  if (pool === undefined) return undefined
  const { blobId } = blob
  const { holders, shardIndex } = at
  return substitutesFor(placementTable(view.map, pool), { blobId, holders, shardIndex }, usable(view))[0]
}

function usable(view: RepairView): (nodeId: string) => boolean {
  return (nodeId) => view.isUp(nodeId) && view.isWilling(nodeId)
}

/** Healthy shards that may not stay, or that a better node could take. One move at a time: the next plan sees it. */
function planMoves(blob: ShardedBlob, view: RepairView, states: readonly ShardState[]): RepairTask[] {
  const { pool } = view
  if (pool === undefined) return []
  const table = placementTable(view.map, pool)
  const load = new Load(blob, view)
  const crowded = (a: { from: string }, b: { from: string }): number =>
    load.onNode(b.from) - load.onNode(a.from) || load.inSite(b.from) - load.inSite(a.from)
  const shards = blob.holders.map((from, shardIndex) => ({ from, shardIndex }))
  for (const { shardIndex, from } of shards.sort(crowded)) {
    const holder = nodeOf(view, from)
    if (states[shardIndex] !== 'good' || holder === undefined) continue
    const { blobId, holders } = blob
    const candidates = substitutesFor(table, { blobId, holders, shardIndex }, usable(view))
    const leaving = !mayHold(holder, pool)
    const to = candidates.find((candidate) => {
      return candidate !== from && (leaving || improves(blob, load, { from, to: candidate }))
    })
    if (to === undefined) continue
    const reason = leaving ? 'draining' : 'doubled'
    return [taskOf(blob, view, { states, shardIndex, to, reason })]
  }
  return []
}

/**
 * Whether moving one shard makes the spread strictly better, in placement's order of what matters: shards in excess of
 * m in a site, then how evenly nodes, then how evenly such sites are filled. Each move lowers that sum, so moving ends.
 */
function improves(blob: ShardedBlob, load: Load, move: { from: string; to: string }): boolean {
  const m = blob.parityShards
  const onFrom = load.onNode(move.from)
  const onTo = load.onNode(move.to) + 1
  if (load.siteOf(move.from) === load.siteOf(move.to)) return onTo < onFrom
  const inFrom = load.inSite(move.from)
  const inTo = load.inSite(move.to) + 1
  const excess = Number(inTo > m) - Number(inFrom > m)
  if (excess !== 0) return excess < 0
  return onTo < onFrom || (onTo === onFrom && inFrom > m && inTo < inFrom)
}

/** How many shards of a blob nodes and sites hold. */
class Load {
  readonly #nodes: Map<string, number>
  readonly #sites: Map<string, number>
  readonly #view: RepairView

  constructor(blob: ShardedBlob, view: RepairView) {
    this.#view = view
    this.#nodes = countBy(blob.holders)
    this.#sites = countBy(blob.holders.map((holder) => this.siteOf(holder)))
  }

  siteOf(nodeId: string): string {
    return nodeOf(this.#view, nodeId)?.site ?? ''
  }

  onNode(nodeId: string): number {
    return this.#nodes.get(nodeId) ?? 0
  }

  /** Shards in the node's site. */
  inSite(nodeId: string): number {
    return this.#sites.get(this.siteOf(nodeId)) ?? 0
  }
}

function taskOf(
  blob: ShardedBlob,
  view: RepairView,
  to: { states: readonly ShardState[]; shardIndex: number; to: string; reason: RepairReason },
): RepairTask {
  const { blobId, generation, holders } = blob
  const { shardIndex, reason } = to
  const copyOf = (index: number): string | undefined => {
    const holder = holders[index]
    if (holder !== undefined && to.states[index] === 'good') return holder
    // A copy that the catalog does not know (an old holder has come back) is as good: the generation is the same.
    const other = view.map.nodes.find(
      ({ nodeId, state }) => state !== 'suspended' && view.isUp(nodeId) && view.has(nodeId, index) === true,
    )
    return other?.nodeId
  }
  const sources = holders.map((_, index) => copyOf(index))
  // The target's own old copy costs no network.
  if (view.has(to.to, shardIndex) === true) sources[shardIndex] = to.to
  const from = holders[shardIndex] ?? ''
  return { blobId, generation, shardIndex, from, to: to.to, reason, sources }
}

/** See `BlobPlan.urgency`. Sites and nodes that are down have nothing to lose. */
function urgencyOf(blob: ShardedBlob, view: RepairView, states: readonly ShardState[]): number {
  const holders = blob.holders.filter((_, index) => states[index] === 'good')
  const beyond = holders.length - blob.dataShards
  const sites = holders.map((holder) => nodeOf(view, holder)?.site ?? '')
  const beyondNode = beyond - Math.max(0, ...countBy(holders).values())
  const beyondSite = beyond - Math.max(0, ...countBy(sites).values())
  // Digits of a number in base 1024: each is between -512 and 511, there are at most 256 shards.
  return (beyond * 1024 + beyondNode) * 1024 + beyondSite
}

function countBy(names: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1)
  return counts
}
