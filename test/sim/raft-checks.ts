/**
 * The properties of figure 3.2 of the dissertation, watched over all nodes of a simulation, and two that operators
 * rely on: what is committed is durable on a majority, and no node applies anything else.
 *
 * Log matching is checked by induction: whoever holds an entry (index, term) holds the same content with the same
 * term before it.
 */
import assert from 'node:assert/strict'
import type { Entry } from '../../node/core/raft-messages.ts'
import type { RaftState } from '../../node/core/raft-state.ts'

interface Identity {
  readonly content: string
  readonly previousTerm: number | undefined
}

export class RaftChecks {
  readonly #leaders = new Map<number, string>()
  readonly #entries = new Map<string, Identity>()
  /** Content by index of everything that any node has applied. */
  readonly #applied: string[] = []
  readonly #committedTerms: number[] = []
  readonly #leaderEnds = new Map<string, { term: number; lastIndex: number }>()

  get appliedCount(): number {
    return this.#applied.length
  }

  /** Election safety, leader append-only, leader completeness. */
  afterStep(raft: RaftState): void {
    const { nodeId, term, role, log } = raft
    if (role !== 'leader') {
      this.#leaderEnds.delete(nodeId)
      return
    }
    const known = this.#leaders.get(term)
    assert.ok(known === undefined || known === nodeId, `term ${term} has two leaders: ${known}, ${nodeId}`)
    const before = this.#leaderEnds.get(nodeId)
    if (before?.term === term) {
      assert.ok(log.lastIndex >= before.lastIndex, `leader ${nodeId} of term ${term} shortened its log`)
    }
    this.#leaderEnds.set(nodeId, { term, lastIndex: log.lastIndex })
    if (known !== undefined) return
    this.#leaders.set(term, nodeId)
    for (let index = log.firstIndex; index < this.#committedTerms.length; index += 1) {
      const committed = this.#committedTerms[index]
      if (committed === undefined || committed >= term) continue
      assert.equal(
        log.termAt(index),
        committed,
        `leader ${nodeId} of term ${term} lacks committed entry ${index}`,
      )
    }
    assert.ok(
      log.baseIndex < this.#committedTerms.length || log.baseIndex === 0,
      `leader ${nodeId} compacted what nobody committed`,
    )
  }

  /** Log matching, for entries that a node writes to its disk. */
  written(entries: readonly Entry[], previousTerm: number | undefined): void {
    let previous = previousTerm
    for (const entry of entries) {
      const key = `${entry.index}/${entry.term}`
      const known = this.#entries.get(key)
      const content = contentOf(entry)
      if (known === undefined) this.#entries.set(key, { content, previousTerm: previous })
      else {
        assert.equal(known.content, content, `entry ${key} differs between nodes`)
        if (known.previousTerm !== undefined && previous !== undefined) {
          assert.equal(known.previousTerm, previous, `entry ${key} follows different entries`)
        }
      }
      previous = entry.term
    }
  }

  /** State machine safety. */
  applied(nodeId: string, entry: Entry): void {
    const content = `${entry.term}:${contentOf(entry)}`
    const known = this.#applied[entry.index]
    assert.ok(known === undefined || known === content, `${nodeId} applied another entry ${entry.index}`)
    this.#applied[entry.index] = content
  }

  /** A leader says that everything up to its commit index is committed: is it on enough disks? */
  committed(raft: RaftState, onDisk: (nodeId: string, index: number) => boolean): void {
    const { log, membership } = raft
    for (let index = this.#committedTerms.length; index <= log.committed; index += 1) {
      const term = log.termAt(index)
      if (term !== undefined) this.#committedTerms[index] = term
    }
    const copies = membership.voters.filter((voter) => onDisk(voter, log.committed)).length
    assert.ok(
      copies >= membership.majority,
      `${raft.nodeId} committed ${log.committed} with ${copies} durable copies of ${membership.majority}`,
    )
  }
}

function contentOf(entry: Entry): string {
  if (entry.kind === 'command') return Buffer.from(entry.data).toString()
  return entry.kind === 'noop' ? 'noop' : JSON.stringify(entry.members)
}
