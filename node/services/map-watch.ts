/**
 * Keeps the newest cluster map: polls the registry's replicas, and asks at once when a peer speaks of a newer epoch.
 *
 * Invariants: the map never goes back to a smaller epoch nor to another federation; whoever listens is told of every
 * map that replaces another, in order, after it was handed to `store`.
 * Leaves to others: what changes a map (registry), what follows from it (transport, placement, workers).
 *
 * Only replicas of the registry group, as the current map names them, are asked: what they answer is believed.
 */
import type { ClusterMap, MapNode } from '../core/cluster-map.ts'
import { ClusterError } from '../errors.ts'
import { parseClusterMap } from '../protocol/cluster-map-schema.ts'
import type { Caller } from '../protocol/messages.ts'
import type { Clock } from '../world.ts'

export const mapWatchLimits = {
  /** A suspended node is to be cut off within seconds; a poll costs some 30 us at each end. */
  pollMs: 1_000,
  /** One replica's time to answer before the next is asked. */
  answerMs: 1_000,
  /** After a peer spoke of a newer map: its replica may not have applied it yet. */
  retryMs: 100,
} as const

export interface MapWatchOptions {
  /** The genesis map, or a cached one that is newer. */
  readonly initial: ClusterMap
  readonly caller: Caller
  readonly clock: Clock
  readonly isUp: (nodeId: string) => boolean
  /** Keeps the map for the next start. A failure is reported by the owner and changes nothing here. */
  readonly store?: (map: ClusterMap) => void
}

export class MapWatch {
  readonly #options: MapWatchOptions
  readonly #listeners: ((map: ClusterMap) => void)[] = []
  #map: ClusterMap
  #byKey = new Map<string, MapNode>()
  #byId = new Map<string, MapNode>()
  #cancel: (() => void) | undefined
  #polling = false
  #heardEpoch = 0
  #next = 0
  #stopped = true

  constructor(options: MapWatchOptions) {
    this.#options = options
    this.#map = options.initial
    this.#index()
  }

  get map(): ClusterMap {
    return this.#map
  }

  get epoch(): number {
    return this.#map.epoch
  }

  /** The node that has this key and may speak: in the map and not suspended. */
  readonly admitted = (publicKeyHex: string): MapNode | undefined => this.#byKey.get(publicKeyHex)

  /** The node of this id, unless it is suspended. */
  readonly nodeOf = (nodeId: string): MapNode | undefined => this.#byId.get(nodeId)

  /** Called with every newer map. */
  onChange(listener: (map: ClusterMap) => void): void {
    this.#listeners.push(listener)
  }

  start(): void {
    this.#stopped = false
    this.#schedule(0)
  }

  stop(): void {
    this.#stopped = true
    this.#cancel?.()
  }

  /** A peer's map has this epoch; when ours is older we ask at once. */
  heardEpoch(epoch: number): void {
    if (epoch <= Math.max(this.#heardEpoch, this.#map.epoch)) return
    this.#heardEpoch = epoch
    if (!this.#stopped) this.#schedule(0)
  }

  /** Takes `value` when it is a newer map of this federation; false otherwise. For the replica that has it first. */
  offer(value: unknown): boolean {
    const map = parseClusterMap(value)
    if (map === undefined || map.federationId !== this.#map.federationId) return false
    if (map.epoch <= this.#map.epoch) return false
    this.#map = map
    this.#index()
    this.#options.store?.(map)
    for (const listener of this.#listeners) listener(map)
    return true
  }

  #index(): void {
    const nodes = this.#map.nodes.filter((node) => node.state !== 'suspended')
    this.#byKey = new Map(nodes.map((node) => [node.publicKey, node]))
    this.#byId = new Map(nodes.map((node) => [node.nodeId, node]))
  }

  #schedule(delayMs: number): void {
    this.#cancel?.()
    this.#cancel = this.#options.clock.after(delayMs, () => this.#poll())
  }

  async #poll(): Promise<void> {
    if (this.#polling) return
    this.#polling = true
    await this.#ask()
    this.#polling = false
    if (this.#stopped) return
    const behind = this.#heardEpoch > this.#map.epoch
    // What a peer claims is forgotten after one more try, so that a liar cannot make us poll ten times a second.
    if (behind) this.#heardEpoch = 0
    this.#schedule(behind ? mapWatchLimits.retryMs : mapWatchLimits.pollMs)
  }

  /** Asks one replica after the other until one answers; they take turns. */
  async #ask(): Promise<void> {
    const group = this.#map.groups.find(({ kind }) => kind === 'registry')
    const replicas = (group?.members ?? []).map(({ nodeId }) => nodeId).filter(this.#options.isUp)
    const first = this.#next++
    for (let i = 0; i < replicas.length; i++) {
      const replica = replicas[(first + i) % replicas.length]
      if (replica === undefined) return
      const answer = await this.#askOne(replica)
      if (answer === undefined) continue
      this.offer(answer.map)
      return
    }
  }

  /** Its answer, or undefined when it gave none: then the next one is asked, or the next poll. */
  async #askOne(replica: string): Promise<{ map?: unknown } | undefined> {
    try {
      const { reply } = await this.#options.caller.call(
        replica,
        'registry-query',
        { query: { kind: 'map', newerThan: this.#map.epoch }, linearizable: false },
        { timeoutMs: mapWatchLimits.answerMs },
      )
      return Object(reply.answer)
    } catch (error) {
      if (error instanceof ClusterError) return undefined
      throw error
    }
  }
}
