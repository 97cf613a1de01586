/**
 * The registry's state machine: one replicated group with a voter per operator, which decides about membership, users
 * and the bucket directory.
 *
 * Owns the dispatch of commands, and that an error leaves no change. The genesis is not in the rows: every replica is
 * given the same verified document, and rows appear with the first change.
 */
import { ClusterError } from '../errors.ts'
import { createGroup, deleteGroup, setGroupMember, updateGroup } from './access-groups.ts'
import {
  changePolicy,
  createPolicy,
  deleteInlinePolicy,
  deletePolicy,
  putInlinePolicy,
  setPolicyAttachment,
} from './access-policies.ts'
import {
  createProvider,
  createRole,
  deleteProvider,
  deleteRole,
  putSessionKey,
  updateProvider,
  updateRole,
} from './access-roles.ts'
import type { AccessCommand, AccessReplies } from './access-types.ts'
import {
  createAccessKey,
  createUser,
  deleteAccessKey,
  deleteUser,
  setAccessKeyState,
  updateUser,
} from './access-users.ts'
import {
  configureBucket,
  removeBucket,
  reserveBucket,
  setBucketState,
  setWriteRules,
} from './registry-buckets.ts'
import { wrongWithRegistryCommand } from './registry-check.ts'
import { disableCredential, putUser } from './registry-credentials.ts'
import { applyStatement, currentMap } from './registry-membership.ts'
import type { Genesis, RegistryCommand, RegistryReplies } from './registry-types.ts'
import { RowChanges } from './row-changes.ts'
import type { VerifySignature } from './signed-documents.ts'
import { type ApplyInput, type ApplyOutput, errorReply, type StateMachine } from './state-machine.ts'

/**
 * The state machine of one federation.
 *
 * @param genesis the founding document, verified (genesis.ts), the same on every replica
 * @param verify Ed25519; must be a pure function
 */
export function registryMachine(genesis: Genesis, verify: VerifySignature): StateMachine {
  return { apply: (input) => apply(input, { founding: genesis.map, verify }) }
}

type Trust = Parameters<typeof applyStatement>[2]

function apply(input: ApplyInput, trust: Trust): ApplyOutput {
  const wrong = wrongWithRegistryCommand(input.command)
  if (wrong !== undefined) {
    return { reply: errorReply(new ClusterError('BadMessage', `registry command${wrong}`)), mutations: [] }
  }
  const changes = new RowChanges(input.rows)
  try {
    const reply = run(changes, input.command as RegistryCommand, trust)
    return { reply, mutations: changes.mutations() }
  } catch (error) {
    if (!(error instanceof ClusterError)) throw error
    return { reply: errorReply(error), mutations: [] }
  }
}

function run(
  changes: RowChanges,
  command: RegistryCommand,
  trust: Trust,
): RegistryReplies[RegistryCommand['kind']] {
  switch (command.kind) {
    case 'statement':
      return applyStatement(changes, command.signed, trust)
    case 'put-user':
      return putUser(changes, command)
    case 'disable-credential':
      return disableCredential(changes, command)
    case 'reserve-bucket':
      return reserveBucket(changes, command, currentMap(changes, trust.founding))
    case 'set-bucket-state':
      return setBucketState(changes, command)
    case 'remove-bucket':
      return removeBucket(changes, command)
    case 'set-write-rules':
      return setWriteRules(changes, command)
    case 'configure-bucket':
      return configureBucket(changes, command)
    default:
      return runAccess(changes, command)
  }
}

function runAccess(changes: RowChanges, command: AccessCommand): AccessReplies[AccessCommand['kind']] {
  switch (command.kind) {
    case 'create-user':
      return createUser(changes, command)
    case 'update-user':
      return updateUser(changes, command)
    case 'delete-user':
      return deleteUser(changes, command)
    case 'create-access-key':
      return createAccessKey(changes, command)
    case 'set-access-key-state':
      return setAccessKeyState(changes, command)
    case 'delete-access-key':
      return deleteAccessKey(changes, command)
    case 'create-group':
      return createGroup(changes, command)
    case 'update-group':
      return updateGroup(changes, command)
    case 'delete-group':
      return deleteGroup(changes, command)
    case 'set-group-member':
      return setGroupMember(changes, command)
    case 'create-role':
      return createRole(changes, command)
    case 'update-role':
      return updateRole(changes, command)
    case 'delete-role':
      return deleteRole(changes, command)
    case 'create-policy':
      return createPolicy(changes, command)
    case 'change-policy':
      return changePolicy(changes, command)
    case 'delete-policy':
      return deletePolicy(changes, command)
    case 'put-inline-policy':
      return putInlinePolicy(changes, command)
    case 'delete-inline-policy':
      return deleteInlinePolicy(changes, command)
    case 'set-policy-attachment':
      return setPolicyAttachment(changes, command)
    case 'create-oidc-provider':
      return createProvider(changes, command)
    case 'update-oidc-provider':
      return updateProvider(changes, command)
    case 'delete-oidc-provider':
      return deleteProvider(changes, command)
    case 'put-session-key':
      return putSessionKey(changes, command)
  }
}
