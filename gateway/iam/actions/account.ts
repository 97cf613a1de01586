/** The account as a whole: GetAccountSummary. */
import { accessLimits } from '../../../node/core/access-rows.ts'
import { element, wrap } from '../../s3/xml.ts'
import { defineIamAction, type QueryAction } from '../query-action.ts'

const getAccountSummary = defineIamAction({
  name: 'GetAccountSummary',
  decode: () => undefined,
  target: () => ({ arn: '*', entity: true }),
  run: async (_, __, { identity, registry }) => {
    const { accountId } = identity
    const { counts } = await registry.queryRegistry({ kind: 'account-counts', accountId })
    const { entitiesMax } = accessLimits
    const summary = {
      Users: counts.user,
      UsersQuota: entitiesMax.user,
      Groups: counts.group,
      GroupsQuota: entitiesMax.group,
      Roles: counts.role,
      RolesQuota: entitiesMax.role,
      Policies: counts.policy,
      PoliciesQuota: entitiesMax.policy,
      Providers: counts.provider,
      GroupsPerUserQuota: accessLimits.groupsPerUserMax,
      AccessKeysPerUserQuota: accessLimits.keysPerUserMax,
      AttachedPoliciesPerUserQuota: accessLimits.attachedMax,
      AttachedPoliciesPerGroupQuota: accessLimits.attachedMax,
      AttachedPoliciesPerRoleQuota: accessLimits.attachedMax,
      PolicySizeQuota: accessLimits.managedCharactersMax,
      UserPolicySizeQuota: accessLimits.inlineCharactersMax.user,
      GroupPolicySizeQuota: accessLimits.inlineCharactersMax.group,
      RolePolicySizeQuota: accessLimits.inlineCharactersMax.role,
      AssumeRolePolicySizeQuota: accessLimits.trustCharactersMax,
      VersionsPerPolicyQuota: accessLimits.policyVersionsMax,
    }
    const entries = Object.entries(summary).map(([key, value]) =>
      wrap('entry', element('key', key), element('value', value)),
    )
    return wrap('SummaryMap', ...entries)
  },
})

export const accountActions: readonly QueryAction[] = [getAccountSummary]
