/**
 * The worker thread of codec-pool.ts: copies a stripe in, codes it, copies the result out.
 *
 * Invariant: one message in, one answer out, in order; an error is an answer too.
 */
import { parentPort } from 'node:worker_threads'
import { codecFor } from './codec.ts'
import type { CodecAnswer, CodecTask } from './codec-pool.ts'
import type { Stripe } from './stripe-pool.ts'

/** One stripe per code and cell size class is enough: a worker does one task at a time. */
let held: { readonly key: string; readonly stripe: Stripe } | undefined

function stripeFor(task: CodecTask): Stripe {
  const codec = codecFor(task.spec)
  const key = `${task.spec.code} ${task.spec.dataShards}+${task.spec.parityShards} ${task.cellBytes}`
  if (held?.key === key) return held.stripe
  const pool = codec.createStripePool({ cellBytesMax: task.cellBytes, trailerBytes: 0, stripesMax: 1 })
  const stripe = pool.tryAcquire()
  if (!stripe) throw new Error('a fresh stripe pool has no stripe')
  held = { key, stripe }
  return stripe
}

function work(task: CodecTask): void {
  const { cellBytes, present } = task
  const stripe = stripeFor(task)
  const shared = stripe.cells.map((_, shard) => new Uint8Array(task.cells, shard * cellBytes, cellBytes))
  stripe.cells.forEach((cell, shard) => {
    const source = shared[shard]
    if (source && (present ? present[shard] : shard < task.spec.dataShards)) cell.set(source)
  })
  if (present) stripe.reconstruct(cellBytes, { present })
  else stripe.encode(cellBytes)
  shared.forEach((target, shard) => {
    const wanted = present ? !present[shard] : shard >= task.spec.dataShards
    const cell = stripe.cells[shard]
    if (wanted && cell) target.set(cell)
  })
}

parentPort?.on('message', (task: CodecTask) => {
  let answer: CodecAnswer
  try {
    work(task)
    answer = { id: task.id }
  } catch (error) {
    answer = { id: task.id, error: error instanceof Error ? error.message : String(error) }
  }
  parentPort?.postMessage(answer)
})
