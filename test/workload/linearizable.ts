/**
 * Decides whether what clients saw of one key could have happened one operation after the other.
 *
 * The key is a register: a write sets it, a read sees the last write. Every operation takes effect at one instant
 * between its start and its end; a write without an answer may take effect at any time after its start, or never.
 * The search is that of Wing and Gong (1993) with remembered dead ends (Lowe 2017).
 */

export interface RegisterOperation {
  readonly kind: 'read' | 'write'
  /** What was written or seen; undefined: no object. */
  readonly value: string | undefined
  readonly startMs: number
  /** Infinity: no answer came. Reads without an answer are left out by the caller. */
  readonly endMs: number
}

/** Whether `operations` on one key, initially absent, are linearizable. */
export function isLinearizable(operations: readonly RegisterOperation[]): boolean {
  const sorted = operations.toSorted((a, b) => a.startMs - b.startMs)
  const deadEnds = new Set<string>()
  const stack: Position[] = [{ first: 0, done: new Set(), value: undefined }]
  for (let position = stack.pop(); position !== undefined; position = stack.pop()) {
    const name = `${position.first}|${[...position.done].sort((a, b) => a - b).join(',')}|${position.value ?? ''}`
    if (deadEnds.has(name)) continue
    deadEnds.add(name)
    if (isComplete(sorted, position)) return true
    stack.push(...nextPositions(sorted, position))
  }
  return false
}

/** Operations before `first` and those in `done` have taken effect; the register holds `value`. */
interface Position {
  readonly first: number
  readonly done: ReadonlySet<number>
  readonly value: string | undefined
}

/** Everything that was answered has taken effect. */
function isComplete(sorted: readonly RegisterOperation[], { first, done }: Position): boolean {
  return sorted.every((operation, index) => index < first || done.has(index) || operation.endMs === Infinity)
}

/** Each operation that may be the next: no other pending one ended before it started. */
function nextPositions(sorted: readonly RegisterOperation[], position: Position): Position[] {
  const { first, done, value } = position
  const next: Position[] = []
  let earliestEnd = Infinity
  for (let index = first; index < sorted.length; index += 1) {
    const operation = sorted[index]
    if (operation === undefined || operation.startMs > earliestEnd) break
    if (done.has(index)) continue
    earliestEnd = Math.min(earliestEnd, operation.endMs)
  }
  for (let index = first; index < sorted.length; index += 1) {
    const operation = sorted[index]
    if (operation === undefined || operation.startMs > earliestEnd) break
    if (done.has(index)) continue
    if (operation.kind === 'read' && operation.value !== value) continue
    next.push(advance(position, index, operation.kind === 'write' ? operation.value : value))
  }
  return next
}

/** Marks `index` as done and moves `first` over everything that is done. */
function advance(position: Position, index: number, value: string | undefined): Position {
  const done = new Set(position.done).add(index)
  let first = position.first
  while (done.delete(first)) first += 1
  return { first, done, value }
}
