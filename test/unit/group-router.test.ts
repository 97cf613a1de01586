import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ClusterError, type ClusterErrorCode } from '../../node/errors.ts'
import type { Answer, Caller, MessageName, Requests } from '../../node/protocol/messages.ts'
import { GroupRouter, routerLimits } from '../../node/services/group-router.ts'
import { mapOf, nodesOf } from './cluster-fixture.ts'

type Behaviour = (to: string, request: unknown) => unknown

/** A router over three members whose clock moves by each attempt and pause; records who was asked. */
function routerWith(behaviour: Behaviour) {
  let nowMs = 0
  const asked: string[] = []
  const requestIds = new Set<string>()
  const caller: Caller = {
    async call<M extends MessageName>(to: string, _message: M, request: Requests[M]): Promise<Answer<M>> {
      nowMs += 10
      asked.push(to)
      requestIds.add((request as { requestId?: string }).requestId ?? '')
      const answer = behaviour(to, request)
      return { reply: answer as Answer<M>['reply'], body: undefined }
    },
    send: () => undefined,
  }
  const groups = [
    {
      groupId: 'g',
      kind: 'catalog' as const,
      members: ['a-1', 'b-1', 'c-1'].map((nodeId) => ({ nodeId, learner: false })),
    },
  ]
  const map = { ...mapOf(nodesOf([1, 1, 1])), groups }
  const router = new GroupRouter({
    caller,
    map: () => map,
    isUp: () => true,
    clock: {
      monotonicMs: () => nowMs,
      wallMs: () => nowMs,
      after(delayMs, run) {
        nowMs += delayMs
        queueMicrotask(run)
        return () => undefined
      },
    },
    random: { float: () => 0.5, hex: () => '00' },
  })
  const propose = () => router.proposeCatalog('g', 'request-1', { kind: 'forget-garbage', blobIds: [] })
  return { propose, asked, requestIds, nowMs: () => nowMs }
}

function refuse(code: ClusterErrorCode, details: Record<string, unknown> = {}): never {
  throw new ClusterError(code, code, { details })
}

test('a hint leads to the leader, who is asked first from then on', async () => {
  const world = routerWith((to) => (to === 'c-1' ? { reply: {} } : refuse('NotLeader', { leaderId: 'c-1' })))
  await world.propose()
  assert.ok(world.asked.length <= 2)
  world.asked.length = 0
  await world.propose()
  assert.deepEqual(world.asked, ['c-1'])
})

test('while there is no leader the members are asked again until one is elected, under one request id', async () => {
  let attempts = 0
  const world = routerWith(() => (++attempts < 20 ? refuse('NotLeader') : { reply: {} }))
  await world.propose()
  assert.equal(attempts, 20)
  assert.deepEqual([...world.requestIds], ['request-1'])
})

test('without a leader the request ends with GroupUnavailable when its time is over', async () => {
  const world = routerWith(() => refuse('PeerUnreachable'))
  await assert.rejects(
    world.propose(),
    (error: unknown) => (error as ClusterError).code === 'GroupUnavailable',
  )
  assert.ok(world.nowMs() >= routerLimits.deadlineMs)
})

test('what the state machine refuses is not tried again', async () => {
  const world = routerWith(() => ({
    reply: { error: { code: 'NoSuchBucket', message: 'none', details: { at: 1 } } },
  }))
  await assert.rejects(world.propose(), (error: unknown) => {
    return error instanceof ClusterError && error.code === 'NoSuchBucket' && error.details.at === 1
  })
  assert.equal(world.asked.length, 1)
})
