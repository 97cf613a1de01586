/**
 * Decisions from policy, lists, ownership and public access block together, on random buckets and objects, against a
 * slow and obvious account of AWS's rules; and what holds whatever the bucket says.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { RequestAccess, type StoredFacts, type Verdict } from '../../gateway/auth/authorise.ts'
import { anonymous, type Identity } from '../../gateway/auth/identity.ts'
import { PolicyCache } from '../../gateway/auth/policy/policy-cache.ts'
import { anonymousAccountId } from '../../gateway/s3/ownership.ts'
import type { Acl, BucketConfiguration, Grantee } from '../../node/core/bucket-configuration.ts'
import type { Bucket } from '../../node/core/registry-types.ts'

const cache = new PolicyCache()

function user(accountId: string, name: string, policies: readonly string[] = []): Identity {
  const isRoot = name === 'root'
  return {
    kind: 'user',
    accessKeyId: 'AKIA',
    accountId,
    userId: isRoot ? accountId : name,
    userName: name,
    arn: `arn:aws:iam::${accountId}:${isRoot ? 'root' : `user/${name}`}`,
    isRoot,
    policies,
  }
}

const mayAll = JSON.stringify({ Statement: { Effect: 'Allow', Action: '*', Resource: '*' } })
const mayNot = JSON.stringify({ Statement: { Effect: 'Deny', Action: 's3:GetObject', Resource: '*' } })

const identities = {
  owner: user('owner', 'root'),
  ownerUser: user('owner', 'ann'),
  ownerUserAll: user('owner', 'ben', [mayAll]),
  ownerUserNot: user('owner', 'cem', [mayAll, mayNot]),
  friend: user('friend', 'root'),
  friendUser: user('friend', 'dan'),
  friendUserAll: user('friend', 'eva', [mayAll]),
  anonymous,
} as const

/** What a bucket policy says, in words for the oracle. */
const policies = {
  none: undefined,
  public: { Effect: 'Allow', Principal: '*', Action: 's3:*', Resource: '*' },
  publicRead: { Effect: 'Allow', Principal: '*', Action: ['s3:GetObject', 's3:ListBucket'], Resource: '*' },
  friend: { Effect: 'Allow', Principal: { AWS: 'friend' }, Action: 's3:*', Resource: '*' },
  ann: { Effect: 'Allow', Principal: { AWS: 'arn:aws:iam::owner:user/ann' }, Action: 's3:*', Resource: '*' },
  denyGet: { Effect: 'Deny', Principal: '*', Action: 's3:GetObject', Resource: '*' },
  denyAll: { Effect: 'Deny', Principal: '*', Action: '*', Resource: '*' },
} as const

const actions = {
  's3:ListBucket': ['bucket', 'READ'],
  's3:PutObject': ['bucket', 'WRITE'],
  's3:DeleteObject': ['bucket', 'WRITE'],
  's3:GetBucketAcl': ['bucket', 'READ_ACP'],
  's3:PutBucketAcl': ['bucket', 'WRITE_ACP'],
  's3:GetObject': ['object', 'READ'],
  's3:GetObjectAcl': ['object', 'READ_ACP'],
  's3:PutObjectAcl': ['object', 'WRITE_ACP'],
  's3:GetObjectTagging': undefined,
  's3:PutBucketPolicy': undefined,
  's3:DeleteBucket': undefined,
} as const

interface Situation {
  readonly who: keyof typeof identities
  readonly action: keyof typeof actions
  readonly policy: keyof typeof policies
  readonly ownership: BucketConfiguration['objectOwnership']
  readonly acl: Acl | undefined
  readonly block: { readonly ignorePublicAcls: boolean; readonly restrictPublicBuckets: boolean }
  readonly object: StoredFacts
}

function granted(acl: Acl | undefined, ownerId: string, s: Situation, permission: string): boolean {
  const me = s.who === 'anonymous' ? anonymousAccountId : identities[s.who].accountId
  const list = acl?.grants ?? [
    { grantee: { kind: 'user', id: ownerId } as Grantee, permission: 'FULL_CONTROL' },
  ]
  return list.some(({ grantee, permission: given }) => {
    if (given !== permission && given !== 'FULL_CONTROL') return false
    if (grantee.kind === 'user') return grantee.id === me
    if (s.block.ignorePublicAcls || grantee.kind === 'log-delivery') return false
    return grantee.kind === 'all-users' || s.who !== 'anonymous'
  })
}

/** Whether everybody, users of the same account without permissions among them, is let in by the list. */
function openToAll(acl: Acl | undefined, s: Situation, permission: string): boolean {
  return (
    !s.block.ignorePublicAcls &&
    (acl?.grants.some(
      (grant) =>
        grant.grantee.kind === 'all-users' &&
        (grant.permission === permission || grant.permission === 'FULL_CONTROL'),
    ) ??
      false)
  )
}

function policySays(s: Situation): 'deny' | 'allow' | 'none' {
  const statement = policies[s.policy]
  if (statement === undefined) return 'none'
  const listed = [statement.Action].flat() as readonly string[]
  const covers = listed.some((each) => each === s.action || each === 's3:*' || each === '*')
  if (!covers) return 'none'
  if (s.policy === 'friend' && identities[s.who].accountId !== 'friend') return 'none'
  if (s.policy === 'ann' && s.who !== 'ownerUser') return 'none'
  return statement.Effect === 'Deny' ? 'deny' : 'allow'
}

function oracle(s: Situation): 'allow' | 'deny' {
  const me = identities[s.who]
  const says = policySays(s)
  if (says === 'deny' && !(s.who === 'owner' && s.action === 's3:PutBucketPolicy')) return 'deny'
  if (s.who === 'ownerUserNot' && s.action === 's3:GetObject') return 'deny'
  const right = actions[s.action]
  const listsCount = s.ownership !== 'BucketOwnerEnforced'
  const ofOther = listsCount && right?.[0] === 'object' && s.object.ownerId !== 'owner'
  const account = ofOther ? s.object.ownerId : 'owner'
  const isPublic = s.policy === 'public' || s.policy === 'publicRead'
  const restricted = s.block.restrictPublicBuckets && isPublic && me.accountId !== 'owner'
  const byPolicy = says === 'allow' && !ofOther && !restricted
  const [acl, aclOwner] = right?.[0] === 'object' ? [s.object.acl, s.object.ownerId] : [s.acl, 'owner']
  const byList = listsCount && right !== undefined && granted(acl, aclOwner, s, right[1])
  if (s.who === 'anonymous') return byList || (byPolicy && isPublic) ? 'allow' : 'deny'
  const ownSide = me.isRoot || me.policies.includes(mayAll)
  if (me.accountId !== account) return ownSide && (byPolicy || byList) ? 'allow' : 'deny'
  const direct =
    (byPolicy && (isPublic || s.policy === 'ann')) ||
    (listsCount && right !== undefined && openToAll(acl, s, right[1]))
  return ownSide || direct ? 'allow' : 'deny'
}

function bucketOf(s: Situation): Bucket {
  const statement = policies[s.policy]
  return {
    name: 'evidence',
    bucketId: '1',
    ownerId: 'owner',
    createdMs: 0,
    poolId: 'default',
    wrappedKey: new Uint8Array(),
    state: 'active',
    attempt: 1,
    configuration: {
      ...(s.acl === undefined ? {} : { acl: s.acl }),
      ...(s.ownership === undefined ? {} : { objectOwnership: s.ownership }),
      publicAccessBlock: { blockPublicAcls: false, blockPublicPolicy: false, ...s.block },
      ...(statement === undefined ? {} : { policy: JSON.stringify({ Statement: [statement] }) }),
    },
  }
}

function decideOn(s: Situation): Verdict {
  const access = new RequestAccess(
    {
      identity: identities[s.who],
      headers: {},
      query: [],
      sourceIp: '192.0.2.1',
      secure: true,
      tlsVersion: '1.3',
      nowMs: 0,
      region: 'eu-central-1',
    },
    cache,
  )
  const onObject = s.action.includes('Object')
  const subject = { bucket: bucketOf(s), key: onObject ? 'k' : '' }
  const first = access.check(s.action, subject)
  if (first !== 'object') return first
  return access.check(s.action, subject, { object: s.object })
}

const grantees = fc.constantFrom<Grantee>(
  { kind: 'user', id: 'owner' },
  { kind: 'user', id: 'friend' },
  { kind: 'user', id: anonymousAccountId },
  { kind: 'all-users' },
  { kind: 'authenticated-users' },
  { kind: 'log-delivery' },
)
const acls = fc.option(
  fc
    .array(
      fc.record({
        grantee: grantees,
        permission: fc.constantFrom('READ', 'WRITE', 'READ_ACP', 'WRITE_ACP', 'FULL_CONTROL'),
      }),
      { maxLength: 3 },
    )
    .map((grants): Acl => ({ grants })),
  { nil: undefined },
)
const situations: fc.Arbitrary<Situation> = fc.record({
  who: fc.constantFrom(...(Object.keys(identities) as (keyof typeof identities)[])),
  action: fc.constantFrom(...(Object.keys(actions) as (keyof typeof actions)[])),
  policy: fc.constantFrom(...(Object.keys(policies) as (keyof typeof policies)[])),
  ownership: fc.constantFrom(undefined, 'ObjectWriter', 'BucketOwnerPreferred', 'BucketOwnerEnforced'),
  acl: acls,
  block: fc.record({ ignorePublicAcls: fc.boolean(), restrictPublicBuckets: fc.boolean() }),
  object: fc.record({ ownerId: fc.constantFrom('owner', 'friend', anonymousAccountId), acl: acls }),
})

test('random buckets, objects and callers are decided as the oracle does', () => {
  const seen = new Set<string>()
  fc.assert(
    fc.property(situations, (situation) => {
      const expected = oracle(situation)
      assert.equal(decideOn(situation), expected, JSON.stringify(situation))
      seen.add(`${situation.who} ${expected}`)
    }),
    { numRuns: 30_000 },
  )
  // Whoever he is, each caller was let in somewhere and turned away somewhere.
  assert.equal(seen.size, 2 * Object.keys(identities).length, [...seen].join(', '))
})

test('what is missing is known to those who may list, and to nobody else', () => {
  fc.assert(
    fc.property(situations, (situation) => {
      const get = { ...situation, action: 's3:GetObject' } as const
      const access = new RequestAccess(
        {
          identity: identities[get.who],
          headers: {},
          query: [],
          sourceIp: '192.0.2.1',
          secure: true,
          tlsVersion: undefined,
          nowMs: 0,
          region: 'eu-central-1',
        },
        cache,
      )
      const bucket = bucketOf(get)
      const mayList = oracle({ ...get, action: 's3:ListBucket' }) === 'allow'
      assert.equal(access.mayKnowAbsence({ bucket, key: 'k' }), mayList)
      const absent = access.check('s3:GetObject', { bucket, key: 'k' }, { object: 'absent' })
      if (absent === 'allow' && get.who !== 'owner') assert.ok(mayList, JSON.stringify(get))
    }),
    { numRuns: 5_000 },
  )
})
