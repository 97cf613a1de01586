/**
 * Since when peers have been down, as this process saw it.
 *
 * Invariant: a node is gone only after this process itself saw it down without a break for the repair delay; a process
 * that starts anew waits anew. Time comes as an argument.
 */
import type { ClusterMap } from '../core/cluster-map.ts'

export class PeerHistory {
  readonly #repairDelayMs: number
  /** Monotonic ms; nodes that are up are not here. */
  readonly #downSinceMs = new Map<string, number>()
  readonly #goneTold = new Set<string>()
  #epoch = -1

  constructor(repairDelayMs: number) {
    this.#repairDelayMs = repairDelayMs
  }

  /** Takes note of who is up. True when somebody came, went, is now gone for good, or the map has changed. */
  observe(map: ClusterMap, isUp: (nodeId: string) => boolean, nowMs: number): boolean {
    let changed = map.epoch !== this.#epoch
    this.#epoch = map.epoch
    for (const { nodeId } of map.nodes) {
      const down = this.#downSinceMs.has(nodeId)
      if (isUp(nodeId) === down) {
        changed = true
        if (down) this.#downSinceMs.delete(nodeId)
        else this.#downSinceMs.set(nodeId, nowMs)
        this.#goneTold.delete(nodeId)
      } else if (down && this.isGone(nodeId, nowMs) && !this.#goneTold.has(nodeId)) {
        changed = true
        this.#goneTold.add(nodeId)
      }
    }
    return changed
  }

  isGone(nodeId: string, nowMs: number): boolean {
    const since = this.#downSinceMs.get(nodeId)
    return since !== undefined && nowMs - since >= this.#repairDelayMs
  }
}
