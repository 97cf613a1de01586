/**
 * How a linear map becomes straight-line code: in how many passes over the targets, with which sums shared, in
 * which order, in which registers.
 *
 * Invariant: a plan computes the map; everything decided here is speed. Deterministic, and bounded in time: a new
 * erasure pattern must be ready within milliseconds. For the encoders of well-known codes the orders were searched
 * for much longer beforehand (tuned-orders.ts).
 */
import type { LinearMap } from './code.ts'
import type { BinaryField } from './field.ts'
import { entryAt, type Matrix, matrixOf } from './matrix.ts'
import type { KernelPass } from './xor-kernel.ts'
import { eagerPriorities, eventsOf, orderBy, searchOrder, type XorEvents } from './xor-order.ts'
import { bitRows, composePrograms, shareSums, type XorProgram, xorCount } from './xor-program.ts'
import { assignRegisters } from './xor-registers.ts'

export interface PlanOptions {
  /** Vector registers that the code may use. */
  readonly registers: number
  /** Additions that the search for an order may try in total. */
  readonly searchAdditions: number
  /** Of the search. */
  readonly seed?: number
  /** Orders found beforehand, one per pass. */
  readonly orders?: readonly Int32Array[]
}

export interface XorPlan {
  readonly passes: readonly KernelPass[]
  /** The order of each pass, to be kept as a tuned one. */
  readonly orders: readonly Int32Array[]
  /** Additions, loads and stores of one column: the core retires a fixed number of them a cycle. */
  readonly operations: number
  /** Whether half of the registers are enough, so that two columns can be computed side by side. */
  readonly sideBySide: boolean
}

/** Targets per pass that are tried: more targets share more sums, fewer fit the registers. */
const TARGETS_PER_PASS = [2, 3, 4]
/** Above it only this size is tried: it has won, and every try shares sums anew, which is most of a plan's time. */
const TARGETS_TRIED_MAX = 6
const TARGETS_PER_PASS_BEYOND = 3

/** The plan with the fewest operations among the ways to cut the targets into passes. */
export function planXor(
  field: BinaryField,
  { coefficients, factors }: Pick<LinearMap, 'coefficients' | 'factors'>,
  options: PlanOptions,
): XorPlan {
  const drafts = passCounts(coefficients, options).map((count) =>
    cutRows(coefficients, count).map((rows) => draftPass(programOf(field, rows), options.registers)),
  )
  if (factors && !options.orders) {
    const composed = composePrograms(programOf(field, factors.inner), programOf(field, factors.outer))
    drafts.push([draftPass(composed, options.registers)])
  }
  const operations = (draft: readonly DraftPass[]): number =>
    draft.reduce((sum, pass) => sum + pass.operations, 0)
  const best = drafts.reduce((least, draft) => (operations(draft) < operations(least) ? draft : least))
  const events = best.map((pass) => pass.events)
  const narrow = options.orders ? undefined : sideBySidePlan(events, options.registers)
  if (narrow) return narrow
  return assemble(events, options.orders ?? searchOrders(events, options), options.registers)
}

/** Numbers of passes to try; tuned orders belong to the cut that they were found for. */
function passCounts({ rows }: Matrix, { orders }: PlanOptions): number[] {
  if (orders) return [orders.length]
  if (rows > TARGETS_TRIED_MAX) return [Math.ceil(rows / TARGETS_PER_PASS_BEYOND)]
  return [...new Set(TARGETS_PER_PASS.map((targets) => Math.ceil(rows / targets)))]
}

/** Rows in `count` groups, as even as possible. */
function cutRows(matrix: Matrix, count: number): Matrix[] {
  return Array.from({ length: count }, (_, group) => {
    const from = Math.floor((group * matrix.rows) / count)
    const to = Math.floor(((group + 1) * matrix.rows) / count)
    const shape = { rows: to - from, columns: matrix.columns }
    return matrixOf(shape, (row, column) => entryAt(matrix, from + row, column))
  })
}

interface DraftPass {
  readonly events: XorEvents
  readonly operations: number
}

function programOf(field: BinaryField, rows: Matrix): XorProgram {
  return shareSums(bitRows(field, rows), rows.columns * field.width)
}

function draftPass(program: XorProgram, registers: number): DraftPass {
  const events = eventsOf(program)
  const order = orderBy(events, eagerPriorities(events))
  const { loads, stores } = assignRegisters(events, order, registers)
  return { events, operations: xorCount(program) + loads + stores }
}

/**
 * The plan for two columns at a time, where one pass over the sources in their order reads every word once and
 * spills none in half of the registers: no search can make it shorter. A plain XOR of cells is of this kind, and
 * taking whole cache lines of one cell after the other is worth a tenth of its speed.
 */
function sideBySidePlan(events: readonly XorEvents[], registers: number): XorPlan | undefined {
  const [pass] = events
  if (!pass || events.length > 1) return undefined
  const { inputs, outputs } = pass.program
  const order = orderBy(pass, eagerPriorities(pass))
  const { loads, stores } = assignRegisters(pass, order, registers >> 1)
  if (loads > inputs || stores > outputs.length) return undefined
  return { ...assemble(events, [order], registers >> 1), sideBySide: true }
}

/** Fewer change nothing and cost a wide pattern a fifth of its time. */
const SEARCH_STEPS_MIN = 8

function searchOrders(events: readonly XorEvents[], options: PlanOptions): Int32Array[] {
  const additions = events.reduce((sum, pass) => sum + pass.waits.length, 0)
  const affordable = Math.floor(options.searchAdditions / (additions + 1))
  const steps = affordable < SEARCH_STEPS_MIN ? 0 : affordable
  return events.map((pass) => {
    const cost = (order: Int32Array): number => {
      const { loads, stores } = assignRegisters(pass, order, options.registers)
      return loads + stores
    }
    return searchOrder(pass, { steps, seed: options.seed ?? 1, cost })
  })
}

function assemble(events: readonly XorEvents[], orders: readonly Int32Array[], registers: number): XorPlan {
  const passes: KernelPass[] = []
  let firstOutput = 0
  let operations = 0
  events.forEach((pass, index) => {
    const order = orders[index]
    if (order?.length !== pass.waits.length)
      throw new Error(`the order of pass ${index} belongs to another program`)
    const { steps, loads, stores } = assignRegisters(pass, order, registers)
    passes.push({ steps, firstOutput })
    firstOutput += pass.program.outputs.length
    operations += xorCount(pass.program) + loads + stores
  })
  return { passes, orders, operations, sideBySide: false }
}
