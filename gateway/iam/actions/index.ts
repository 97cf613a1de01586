/** The table of actions of IAM. */
import type { QueryAction } from '../query-action.ts'
import { accessKeyActions } from './access-keys.ts'
import { accountActions } from './account.ts'
import { groupActions } from './groups.ts'
import { managedPolicyActions } from './managed-policies.ts'
import { providerActions } from './providers.ts'
import { roleActions } from './roles.ts'
import { subjectPolicyActions } from './subject-policies.ts'
import { userActions } from './users.ts'

export const iamActions: readonly QueryAction[] = [
  ...userActions,
  ...accessKeyActions,
  ...groupActions,
  ...roleActions,
  ...subjectPolicyActions,
  ...managedPolicyActions,
  ...providerActions,
  ...accountActions,
]
