/**
 * The members of a group: which configuration is in effect, which ones a truncated log would bring back, and
 * what a majority of them is.
 *
 * Single-server changes (dissertation section 4.1): a configuration is in effect from the moment it is in the
 * log, committed or not; any two consecutive ones share a member in every pair of majorities because they differ
 * by one voter. The leader holds to the two rules that this needs: one uncommitted change at a time, and none
 * before it has committed an entry of its own term (the correction of 2015 to section 4.1).
 */
import type { Member } from './raft-messages.ts'

interface Configuration {
  readonly index: number
  readonly members: readonly Member[]
}

export class Membership {
  /** Ascending; the first is committed, the last is in effect. */
  #history: Configuration[]
  #voters: readonly string[] = []

  constructor(base: Configuration) {
    this.#history = [base]
    this.#settle()
  }

  get members(): readonly Member[] {
    return this.#current.members
  }

  /** Index of the entry that brought the members in effect. */
  get index(): number {
    return this.#current.index
  }

  get voters(): readonly string[] {
    return this.#voters
  }

  isVoter(nodeId: string): boolean {
    return this.#voters.includes(nodeId)
  }

  /**
   * Whether a node may be needed as a leader. One that is about to be removed still is until the removal is
   * committed: it may be the only one whose log is complete enough to win (section 4.2.2, figure 4.6).
   */
  mayLead(nodeId: string, committed: number): boolean {
    if (this.isVoter(nodeId)) return true
    if (this.index <= committed) return false
    return this.#history.some(({ members }) =>
      members.some((member) => member.nodeId === nodeId && !member.learner),
    )
  }

  isMember(nodeId: string): boolean {
    return this.members.some((member) => member.nodeId === nodeId)
  }

  /** Votes or acknowledgements that decide: more than half of the voters. */
  get majority(): number {
    return Math.floor(this.#voters.length / 2) + 1
  }

  /** Whether the voters for which `agrees` holds are a majority. */
  hasMajority(agrees: (nodeId: string) => boolean): boolean {
    let count = 0
    for (const voter of this.#voters) if (agrees(voter)) count += 1
    return count >= this.majority
  }

  /** The largest value that a majority of voters has reached. */
  majorityReached(reachedBy: (nodeId: string) => number): number {
    const values = this.#voters.map(reachedBy).sort((a, b) => b - a)
    return values[this.majority - 1] ?? 0
  }

  append(configuration: Configuration): void {
    this.#history.push(configuration)
    this.#settle()
  }

  /** The log lost `from` and everything behind it. */
  truncate(from: number): void {
    while (this.#history.length > 1 && this.#current.index >= from) this.#history.pop()
    this.#settle()
  }

  /** Entries up to `index` are committed and applied: earlier configurations never come back. */
  compact(index: number): void {
    while ((this.#history[1]?.index ?? Number.POSITIVE_INFINITY) <= index) this.#history.shift()
  }

  reset(base: Configuration): void {
    this.#history = [base]
    this.#settle()
  }

  /** Members in effect at a committed `index` that is not before the compacted history. */
  at(index: number): readonly Member[] {
    return (this.#history.findLast((one) => one.index <= index) ?? this.#current).members
  }

  get #current(): Configuration {
    const current = this.#history.at(-1)
    if (current === undefined) throw new Error('raft: no configuration')
    return current
  }

  #settle(): void {
    this.#voters = this.members.filter((member) => !member.learner).map((member) => member.nodeId)
  }
}

/**
 * Whether one step leads from `before` to `after`: at most one voter more or fewer, no node twice, a voter left.
 */
export function isSingleChange(before: readonly Member[], after: readonly Member[]): boolean {
  const votersBefore = new Set(before.filter((one) => !one.learner).map((one) => one.nodeId))
  const votersAfter = new Set(after.filter((one) => !one.learner).map((one) => one.nodeId))
  const unique = new Set(after.map((one) => one.nodeId)).size === after.length
  return votersAfter.size > 0 && unique && votersBefore.symmetricDifference(votersAfter).size <= 1
}
