#!/bin/sh
# Pulumi Deployments for one stack: sh setup.sh ORGANIZATION/k8sauth/STACK OWNER/REPOSITORY [RUNNER-POOL]
# Needs the Pulumi CLI, logged in to Pulumi Cloud. Run it once for each stack; settings may be edited again, schedules are new each time.
set -eu
stack=${1:?the stack is missing: ORGANIZATION/k8sauth/STACK}
repository=${2:?the repository is missing: OWNER/REPOSITORY}
pool=${3:-}

# Pull requests get a preview, pushes to main an up. The pool is one of yours where Pulumi's runners do not reach the cluster.
pulumi deployment settings edit --stack "$stack" \
  --vcs-provider github --repo "$repository" --branch main --folder . \
  --preview-prs --push-to-deploy \
  --skip-intermediate-deployments \
  --runner-pool "$pool"

# Renewal: a plain up, every night. Whatever is in its renewal window gets a new credential.
pulumi stack schedule new --stack "$stack" --yes --kind raw --operation update --cron '17 3 * * *'

# Drift: looks every six hours and tells. --auto-remediate would heal it as well.
pulumi stack schedule new --stack "$stack" --yes --kind drift --cron '41 */6 * * *'
