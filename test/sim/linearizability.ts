/**
 * A slow, obvious oracle: is there an order of these operations, consistent with real time, that a sequential
 * object would answer in the same way?
 *
 * Wing and Gong's search with Lowe's memory of visited configurations, as in Porcupine. Operations whose outcome is
 * unknown (timeout, crash) may take effect at any later time or not at all. Exponential in the number of
 * operations that overlap: check keys one by one.
 */

export interface Operation<Input, Output> {
  readonly input: Input
  /** undefined: nobody knows whether it took effect. */
  readonly output: Output | undefined
  readonly invokedAt: number
  /** Infinity when `output` is undefined. */
  readonly returnedAt: number
}

/** A sequential object. `step` gives the state after `input`, or undefined when `output` is impossible. */
export interface Model<State, Input, Output> {
  readonly initial: State
  step(state: State, input: Input, output: Output | undefined): State | undefined
  /** Equal states have equal names. */
  name(state: State): string
}

interface Event {
  readonly operation: number
  /** The matching return for a call; undefined for a return. */
  readonly match: Event | undefined
  previous: Event | undefined
  next: Event | undefined
}

/** Returns whether the history is linearizable. */
export function isLinearizable<State, Input, Output>(
  model: Model<State, Input, Output>,
  history: readonly Operation<Input, Output>[],
): boolean {
  const head = timeline(history)
  const visited = new Set<string>()
  const chosen: { call: Event; state: State }[] = []
  let done = 0n
  let state = model.initial
  let event = head.next
  while (head.next !== undefined) {
    if (event === undefined) throw new Error('the timeline ends with a call')
    const operation = history[event.operation]
    if (operation === undefined) throw new Error('unknown operation')
    const bit = 1n << BigInt(event.operation)
    if (event.match !== undefined) {
      const after = model.step(state, operation.input, operation.output)
      const configuration = `${(done | bit).toString(36)} ${after === undefined ? '' : model.name(after)}`
      if (after !== undefined && !visited.has(configuration)) {
        visited.add(configuration)
        chosen.push({ call: event, state })
        state = after
        done |= bit
        lift(event)
        event = head.next
      } else {
        event = event.next
      }
      continue
    }
    // A return whose call was not placed: the order chosen so far leads nowhere.
    const last = chosen.pop()
    if (last === undefined) return false
    state = last.state
    done &= ~(1n << BigInt(last.call.operation))
    unlift(last.call)
    event = last.call.next
  }
  return true
}

/** Calls and returns in time order behind a head; a return at the same time as a call comes after it. */
function timeline(history: readonly Operation<unknown, unknown>[]): Event {
  const moments: { at: number; isReturn: boolean; event: Event }[] = []
  for (const [operation, { invokedAt, returnedAt }] of history.entries()) {
    const end: Event = { operation, match: undefined, previous: undefined, next: undefined }
    const call: Event = { operation, match: end, previous: undefined, next: undefined }
    moments.push(
      { at: invokedAt, isReturn: false, event: call },
      { at: returnedAt, isReturn: true, event: end },
    )
  }
  moments.sort((a, b) => (a.at === b.at ? Number(a.isReturn) - Number(b.isReturn) : a.at - b.at))
  const head: Event = { operation: -1, match: undefined, previous: undefined, next: undefined }
  let last = head
  for (const { event } of moments) {
    last.next = event
    event.previous = last
    last = event
  }
  return head
}

/** Takes a call and its return out of the timeline. */
function lift(call: Event): void {
  for (const event of [call, call.match]) {
    if (event?.previous !== undefined) event.previous.next = event.next
    if (event?.next !== undefined) event.next.previous = event.previous
  }
}

/** Puts them back, in the opposite order. */
function unlift(call: Event): void {
  for (const event of [call.match, call]) {
    if (event?.previous !== undefined) event.previous.next = event
    if (event?.next !== undefined) event.next.previous = event
  }
}

/** A register with compare-and-set: what one key of a key-value store is. */
export type RegisterInput =
  | { readonly op: 'read' }
  | { readonly op: 'write'; readonly value: string }
  | { readonly op: 'cas'; readonly expect: string | undefined; readonly value: string }

/** read: the value; write: undefined value; cas: whether it was set. */
export type RegisterOutput =
  | { readonly value: string | undefined }
  | { readonly written: true }
  | { readonly set: boolean }

export const registerModel: Model<{ value: string | undefined }, RegisterInput, RegisterOutput> = {
  initial: { value: undefined },
  name: ({ value }) => value ?? '',
  step: (state, input, output) => {
    if (input.op === 'read') {
      return output === undefined || ('value' in output && output.value === state.value) ? state : undefined
    }
    if (input.op === 'write') return { value: input.value }
    const set = state.value === input.expect
    if (output !== undefined && !('set' in output && output.set === set)) return undefined
    return set ? { value: input.value } : state
  },
}
