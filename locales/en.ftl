# The words of the pages in English. Every language has the same messages; a test says so.

## The frame
skip-to-content = Skip to content
menu = Menu
sections = Sections
breadcrumbs = You are here
place-label = In
place-switch = Switch organization
place-all = Whole deployment
place-choose = Choose an organization
organizations-all = All organizations
language-and-looks = Language and theme
language = Language
theme = Theme
theme-system = System
theme-light = Light
theme-dark = Dark
account = Your account
sign-out = Sign out
role-operator = Operator
role-admin = Admin
role-member = Member
role-in = { $role } in { $organization }
support-ask = Questions?
title-error = Error:

## Sections
keys = Keys
my-keys = My keys
found = Found a key?
usage = Usage
attention = Needs attention
members = Members
permissions = Permissions
audit = Audit log
settings = Settings
organizations = Organizations
people = People
resources = API resources
roles = Roles
security = Signing keys

## Small words
copy = Copy
copied = Copied
copy-key = Copy key
copy-link = Copy link
cancel = Cancel
save = Save
back = Back
remove = Remove
edit = Edit
show = Show
name = Name
state = State
owner = Owner
expires = Expires
made = Made
since = Since
until = Until
when = When
action = Action
actor = By whom
event = Event
reason = Reason
none = None
unknown = Unknown
never = Never
description = Description
permission = Permission
resource = API resource
provider = Identity provider
address = Address
danger = Stopping things
search = Search
sort = Sort by
filter = Apply
filter-clear = Clear filters
nothing-fits = Nothing fits these filters.
newer = Newer
older = Older
page-before = Previous page
page-behind = Next page
form-wrong = Some fields need another look.

## Times
time-now = just now
time-soon = in a moment
time-minutes-ago =
    { $count ->
        [one] { $count } minute ago
       *[other] { $count } minutes ago
    }
time-hours-ago =
    { $count ->
        [one] { $count } hour ago
       *[other] { $count } hours ago
    }
time-days-ago =
    { $count ->
        [one] { $count } day ago
       *[other] { $count } days ago
    }
time-in-minutes =
    { $count ->
        [one] in { $count } minute
       *[other] in { $count } minutes
    }
time-in-hours =
    { $count ->
        [one] in { $count } hour
       *[other] in { $count } hours
    }
time-in-days =
    { $count ->
        [one] in { $count } day
       *[other] in { $count } days
    }
time-date = { $date }
span-seconds =
    { $count ->
        [one] { $count } second
       *[other] { $count } seconds
    }
span-minutes =
    { $count ->
        [one] { $count } minute
       *[other] { $count } minutes
    }
span-hours =
    { $count ->
        [one] { $count } hour
       *[other] { $count } hours
    }
span-days =
    { $count ->
        [one] { $count } day
       *[other] { $count } days
    }

## Signing in
sign-in = Sign in
sign-in-with = Sign in with { $provider }
sign-in-here = Or with an account here
sign-in-passkey = Sign in with a passkey
sign-in-nobody = Nobody has an account here yet.
sign-in-first = Whoever runs this server finds a link for the first operator where the server was started, or makes one with “kagiya admin sign-in-link”.
sign-in-wrong = That name and password, or passkey, does not fit.
sign-in-too-many =
    Too many tries. Try again in { $count ->
        [one] { $count } second
       *[other] { $count } seconds
    }.
sign-in-no-attempt = This sign-in was begun elsewhere, or took too long. Start again here.
sign-in-refused = The sign-in provider did not let you in ({ $word }).
sign-in-bad-answer = The sign-in provider's answer could not be used. The operator finds the reason in the log.
sign-in-not-that-way = That way of signing in is not offered here.
sign-in-unavailable = The sign-in provider does not answer. Whoever is signed in already stays so.
login-name = Login name
login-name-help = By this you sign in, such as your e-mail address.
password = Password
password-new = New password
password-present = Present password
password-help = At least 12 characters. A few unrelated words are easy to remember and hard to guess.
password-set = Set password
password-change = Change password
password-change-text = All your other sessions end.
your-name = Your name
your-name-help = What others see here.
account-make = Make account
account-new = New here
account-signs-in = You sign in by
person-id = Id
subject = Subject

## Links
link = Link
link-shown-once = This link is shown only now. It works once.
link-until = It can be used until { $when }.
link-gone = This link cannot be used
link-gone-text = It was used already, was taken back, or its time is over. Ask whoever sent it for another one.
link-only-here = This link works only in a browser on the server's own machine.
link-operator = Become an operator
link-operator-text = An operator sees and stops everything here, and decides who else may.
link-invitation = Join { $organization }
link-invitation-member = You are invited to { $organization } as a member: you make and stop your own keys there.
link-invitation-admin = You are invited to { $organization } as an admin: you look after all its keys and members.
link-password = Choose a new password
link-password-text = All sessions of this account end, and the old password is no longer taken.
link-password-for = For { $name }.
link-as = You are signed in as { $name }.
link-accept = Accept
link-sign-in = I have an account: sign in first

## Waiting
waiting = You do not belong to an organization yet
waiting-text = You are signed in, and nobody has given you access yet.
waiting-ask = Ask an admin of your organization, or whoever runs this server, for an invitation. They need what stands below.
waiting-ask-support = Ask { $support } for an invitation. They need what stands below.
waiting-you = You are
waiting-id = Your id here
waiting-subject = Your name at the sign-in provider

## The account
sessions = Sessions
session-browser = Browser
session-seen = Last seen
session-method = Signed in by
session-this = This one
sessions-end = End all other sessions
sessions-end-text = Every other browser that is signed in as you has to sign in again.
method-link = a link
method-password = password
method-passkey = passkey
method-provider = the sign-in provider
passkeys = Passkeys
passkeys-none = No passkey yet. With one you sign in by fingerprint, face or PIN, without a password.
passkey-add = Add a passkey
passkey-add-text = Your browser asks for your fingerprint, face, PIN or security key. It takes a browser that knows passkeys, with scripts allowed.
passkey-name = Name of the passkey
passkey-name-help = So that you know it again, such as “work laptop”.
passkey-line = { $name }, { $used }
passkey-used = last used { $when }
passkey-unused = added { $when }, not used yet

## Keys
api-key = API key
make-key = Make key
key-id = Key id
hint = Hint
last-used = Last used
never-used = never used
never-expires = never expires
owner-nobody = Nobody in particular
owner-id = Owner's id
owner-new = New owner
no-permissions = No permissions
scopes-more = +{ $count }
state-any = Any
state-active = Active
state-disabled = Disabled
state-expired = Expired
state-revoked = Revoked
state-pending = Pending
sort-newest = Newest first
sort-name = Name
sort-used = Last used
sort-expiry = Expiry
keys-count =
    { $count ->
        [one] { $count } key
       *[other] { $count } keys
    }
keys-more-than = More than { $count } keys
keys-none = An API key lets a program of yours call an API without a password. You have none here yet.
keys-none-anywhere = No organization has a key yet. Keys are made in an organization.
field-key-name = Name
field-key-name-help = What it is for, such as “checkout in production”.
field-owner-help = The key never gives more than its owner may do.
picker = What it may do
picker-help = Tick only what it needs. This can be changed later.
picker-filter = Find a permission
picker-read-only = Read only
picker-none = Nothing is ticked yet.
picker-summary = It may:
picker-not-yours = Yours to take away, not to give.
limits = Expiry, addresses, rate
field-expires = Expires on
field-expires-help = Empty: never. It ends at the end of that day, UTC.
field-addresses = Allowed addresses
field-addresses-help = One a line, such as 203.0.113.7 or 192.0.2.0/24. Empty: any.
field-rate = Rate limit
field-rate-help = How often it may be traded for a token. Empty: as often as it likes.
field-rate-per = Per
per-second = a second
per-minute = a minute
per-hour = an hour
per-day = a day
per-seconds = { $count } seconds
addresses = Allowed addresses
addresses-any = Any
rate-limit = Rate limit
rate-none = None
rate-told = { $count } in { $span }
rotated = Rotated
grant-nothing = You may not give any permission to a key here yet. Ask an admin of the organization for a role.
grant-nothing-operator = There is no API resource yet. A key needs one with at least one permission.

## Shown once
key-made = Your key
key-shown-once = Shown only now. Store it before you go on.
key-secret = Key “{ $name }”
key-stored = I have stored it
key-use = How to use it
key-use-store = Store the key in a file that only you can read: run { $command }, paste the key, press Enter and Ctrl-D. Or set the variable KAGIYA_KEY.
key-use-trade = Trade it for an access token, and send that to the API:
key-shown-before = This key was shown already
key-shown-before-text = A key is shown once. If it was not stored, rotate it: that makes a new one, and nobody uses the old one yet.

## A key's page
sentence-active = Active. { $used }
sentence-disabled = Disabled { $when }. It is refused until it is enabled again. { $used }
sentence-expired = Expired { $when }. { $used }
sentence-revoked = Revoked { $when }, for ever. { $used }
sentence-pending = It is being made.
sentence-used = Last used { $when }.
sentence-unused = Never used.
refusals = Recent refusals
refusals-none = It was not refused lately.
asked-for = Asked for
history = History
reason-revoked = The key is revoked
reason-rotated = The key was rotated away
reason-expired = The key has expired
reason-disabled = The key or its organization is disabled
reason-address = Not from an allowed address
reason-rate = Beyond its rate limit
reason-target = No such API resource for this key
reason-scope = A permission that it does not hold
reason-other = Another reason
chart-key = Use in the last 30 days
chart-all = All keys in the last 30 days
chart-table = As a table
chart-day = Day
chart-exchanges = Trades
chart-refusals = Refusals
chart-bar =
    { $day }: { $exchanges ->
        [one] { $exchanges } trade
       *[other] { $exchanges } trades
    }, { $refusals ->
        [one] { $refusals } refusal
       *[other] { $refusals } refusals
    }
chart-total =
    In { $days } days: { $exchanges ->
        [one] { $exchanges } trade
       *[other] { $exchanges } trades
    }, { $refusals ->
        [one] { $refusals } refusal
       *[other] { $refusals } refusals
    }.
busiest = Busiest keys
usage-none = No key was used in this time.

## Changing a key
permissions-edit = Change permissions
permissions-review = Review changes
permissions-review-title = Review changes
diff-taken = Takes away { $scope } at { $resource }
diff-given = Adds { $scope } at { $resource }
diff-kept = { $scope } at { $resource }
diff-kept-title =
    { $count ->
        [one] { $count } permission stays
       *[other] { $count } permissions stay
    }
diff-none = Nothing changes.
diff-when = The next token carries it. Tokens already issued keep what they have until they expire.
hand-over = Hand over
hand-over-sees = The new owner sees the key among their own, and may change, rotate and stop it.
hand-over-bound = From now on the key gives no more than the new owner may do.
hand-over-works = The key itself stays the same and goes on working.
rotate = Rotate
rotate-key = Rotate key
rotate-new = A new key takes the place of the old one. It is shown once, on the next page.
rotate-same = Name, permissions, limits and history stay.
rotate-ends-older = An older key is still in its grace period: it ends now.
rotate-when = The old key
rotate-now = Stops now
rotate-now-help = Take this if others may have it.
rotate-keep = Works for another { $span }
rotate-old-dead = The old key stopped working.
rotate-old-until = The old key works until { $when }.
rotate-countdown = Grace period: the key from before the last rotation still works and stops { $when } ({ $exact }).
disable = Disable
disable-key = Disable key
disable-instead = Disable it instead
disable-now = The key is refused from now on.
disable-back = It can be enabled again at any time.
enable = Enable
enable-key = Enable key
enable-now = The key works again from now on.
revoke = Revoke
revoke-key = Revoke key
revoke-now = The key stops working now.
revoke-for-ever = This cannot be undone. The record and its history stay.
revoke-disable-first = To see first what still needs it, disable it: that can be undone.
revoke-name = Its name is { $name }.
revoke-type = Type the name
revoke-type-help = So that it is the right one.
stop-tokens = Tokens already issued stop within 5 minutes, or as the API resource says.
stop-used = It was last used { $when }.
stop-unused = It was never used.

## A key that was found
found-lead = Paste it here. You are told whose it is, if you may know, and can stop it.
found-key = The key
found-key-help = It is not stored, not shown again and not logged.
found-look = Look it up
found-another = Look up another one
found-not-ours = This is no key of ours, or not any more.
found-of-others = This is a working key of somebody else. Whose is not yours to know, but you can stop it.
found-dead = It is stopped already. Nothing is left to do.
found-lives = It works. If others may have seen it, stop it.
found-stop = Stop this key
found-stop-now = It stops working now, for ever.
found-too-many = Too many keys were looked up from this address. Wait a minute.

## Attention
attention-lead = Active keys that are worth a look.
attention-why = Show keys that
attention-never-used = were never used
attention-idle = were idle for 90 days
attention-never-expires = never expire
attention-too-wide = may do more than they ever did
attention-never-used-text = Nobody will miss a key that was never used. Older than a day.
attention-idle-text = Disable one first: if nobody asks for it, revoke it later.
attention-never-expires-text = That is the default and often right. For people who come and go, an end is better.
attention-too-wide-text = What a key does not hold nobody can steal with it. “Narrow to what it used” shows the change before it is saved.
attention-none = No key of this kind. Nothing to do.
never-used-permissions = Never used
narrow-to-used = Narrow to what it used

## Members
member = Member
member-as = As
members-none = Nobody is a member yet. Invite somebody by a link.
member-keys = Keys of this member
member-remove = Remove member
role-member-help = Makes and stops their own keys, within the roles below.
role-admin-help = Looks after all keys and members, within what the organization may use.
roles-help = What a member may give to their keys.
invite = Invite
invite-lead = You get a link to send. It works once, within 7 days.
invite-whom = For whom
invite-whom-help = For your own list. Nothing is sent to anybody.
invite-make = Make link
invite-made = Invitation
invite-sent = I have sent it
invitations = Open invitations
invitation-line = { $who }, as { $role }, until { $until }
invitation-anybody = Whoever has the link
invitation-withdraw = Take back
remove-now = This person sees and changes nothing here any more, from now on.
remove-pause =
    { $count ->
        [one] { $count } key of this member is
       *[other] { $count } keys of this member are
    } disabled at once. An admin can enable and hand over each.
remove-hand-over =
    { $count ->
        [one] { $count } key of this member goes
       *[other] { $count } keys of this member go
    } on working without an owner, with what they may do now.
remove-keep =
    { $count ->
        [one] { $count } key of this member goes
       *[other] { $count } keys of this member go
    } on working, with what they may do now.
stop-member-keys = Stop all keys of this member
stop-all-keys = Stop all keys
stop-many = Stop them all
stop-many-count =
    This stops { $count ->
        [one] { $count } key
       *[other] { $count } keys
    }.
stop-many-now = They stop working now, all at once.

## What an organization may use
permissions-lead = What the keys of this organization may do at most. Only an operator changes it.
permissions-none = This organization may use nothing yet.
ceiling = The organization may use
ceiling-lead = No key of the organization ever gives more than this, whoever made it.
ceiling-all = Everything, also what is added later
ceiling-these = Only what is ticked below

## Settings of an organization
organization-id = Organization id
slug = Short name
slug-help = For command lines and rules: lower-case letters, digits and hyphens.
owner-gone = When a member leaves, their keys
owner-gone-pause = are disabled
owner-gone-hand-over = go on without an owner, with what they may do then
owner-gone-keep = go on, with what they may do then
max-keys = Most keys
max-keys-help = Revoked ones do not count. Empty: no limit.
organization-disabled = Pause all keys of this organization
organization-disabled-help = They are refused until this is taken back.
organization-delete = Delete organization

## The audit log
audit-subject = About
audit-action = Event code
audit-none = No event fits.
export-csv = Download as CSV
export-jsonl = Download as JSON lines
actor-server = The server itself
actor-sign-in = Signing in
actor-leaked = Whoever held the key
event-key-created = Key made
event-key-updated = Key changed
event-key-permissions = Key's permissions changed
event-key-rotated = Key rotated
event-key-grace = Grace period ended
event-key-revoked = Key revoked
event-keys-revoked = Many keys revoked
event-member-added = Member added
event-member-updated = Member changed
event-member-removed = Member removed
event-organization-created = Organization made
event-organization-updated = Organization changed
event-organization-deleted = Organization deleted
event-organization-permissions = Organization's permissions changed
event-session-started = Signed in
event-session-ended = Signed out
event-sign-in-failed = Sign-in failed
event-link-created = Sign-in link made
event-link-withdrawn = Invitation taken back
event-operator-granted = Made an operator
event-operator-revoked = No operator any more
event-password-changed = Password changed
event-passkey-added = Passkey added
event-passkey-removed = Passkey removed
event-person-disabled = Person shut out
event-person-enabled = Person let in again
event-user-created = Person made known
event-user-updated = Person renamed
event-user-deleted = Person forgotten
event-resource-created = API resource made
event-resource-updated = API resource changed
event-resource-deleted = API resource deleted
event-permission-created = Permission added
event-permission-deleted = Permission deleted
event-role-created = Role made
event-role-updated = Role changed
event-role-deleted = Role deleted
event-operator-token = Operator's token used
event-signing-rotated = Signing keys rotated
event-signing-withdrawn = Signing key withdrawn
event-secret-announced = New secret announced
event-secret-activated = New secret in use
event-secret-retired = Old secret dropped
event-secret-leaked = Secret marked as leaked
event-root-secret = Root secret changed
event-other = Another event

## Errors
error-home = To the start page
error-request = Request { $id }
error-not-found = Not there
error-not-found-text = There is no such page, or it is not yours to see.
error-forbidden = Not allowed
error-forbidden-text = You may not do that, or the page was open for too long. Go back, reload it and try once more.
error-conflict = Not possible now
error-conflict-text = The state of things does not allow it: somebody else may have changed it, or it is revoked.
error-stale = Changed meanwhile
error-stale-text = Somebody else changed it while this page was open. Go back and look at it again.
error-too-many = Too many requests
error-too-many-text = Wait a moment and try again.
error-unavailable = Not available right now
error-unavailable-text = The database or a provider does not answer. Nothing was changed. Try again in a moment.
error-bad = That could not be read
error-bad-text = The request was not one that these pages send.
error-internal = Something broke
error-internal-text = It is our mistake. The operator finds the reason in the log, under the id below.

## What is wrong with a field
wrong-empty = Fill this in
wrong-long = Too long
wrong-value = This value cannot be used
wrong-number = A number from 0 to 1,000,000
wrong-date = A day such as 2027-01-31
wrong-past = It must lie ahead
wrong-addresses = Addresses or networks, such as 203.0.113.7 or 192.0.2.0/24
wrong-addresses-many = At most 64
wrong-addresses-bits = A network ends with zero bits: 192.0.2.0/24, not 192.0.2.7/24
wrong-rate = A number from 1 to 1,000,000
wrong-rate-per = Choose in which time
wrong-no-permission = Tick at least one
wrong-permission-gone = One of these permissions does not exist any more. Look at the list again
wrong-beyond = That is more than you may give: { $what }
wrong-name-is-key = That looks like a key. Give it a name instead, and stop that key if others saw it
wrong-sent-already = This form was sent before with other content. Look at your keys, then send it again
wrong-typed-name = Not its name
wrong-stale = Somebody else changed it meanwhile. Reload the page
wrong-provider = The identity provider does not answer. Nothing was changed. Try again in a moment
wrong-no-such-person = There is no such member
wrong-password-short = At least 12 characters
wrong-password-plain = Too easy to guess
wrong-password-present = Not your present password
wrong-login-name = Without spaces, at most 120 characters
wrong-login-name-taken = Somebody has that name already
wrong-slug = Lower-case letters, digits and hyphens, at most 63
wrong-slug-taken = Another organization has it
wrong-identifier-taken = Another API resource has it
wrong-permission-exists = There is a permission of that name
wrong-role-taken = Another role has that name
wrong-role-in-use = It is held by { $by }
wrong-user-in-use = Still tied to { $by }
wrong-not-empty = It has keys that are not revoked. Stop them first
wrong-too-many-keys =
    The organization may have { $count ->
        [one] { $count } key
       *[other] { $count } keys
    }, and has them. Revoke one first
wrong-key-revoked = The key is revoked: nothing about it changes any more
wrong-key-status = The key is not in a state that allows it
wrong-signing-key-young = The next signing key was published too short a time ago. Verifiers would not know it
wrong-secret-in-use = Something that lives still needs it
wrong-secret-state = Its state does not allow it now
wrong-reserved = This API resource is kagiya's own and stays as it is

## What was done
done-key-changed = Saved. It counts from now on.
done-key-permissions = Permissions changed. The next token carries them.
done-key-disabled = Disabled. The key is refused from now on.
done-key-enabled = Enabled. The key works again.
done-key-revoked = Revoked. The key no longer works.
done-key-handed-over = Handed over.
done-found-stopped = The key is stopped.
done-found-nothing = The key was stopped already.
done-keys-stopped = All of them are stopped.
done-member-changed = Saved.
done-member-removed = Removed.
done-invitation-withdrawn = The invitation is taken back.
done-joined = You are in.
done-operator-now = You are an operator.
done-name-changed = Saved.
done-password-changed = The password is changed.
done-passkey-added = The passkey is added.
done-passkey-removed = The passkey is removed.
done-sessions-ended = All other sessions are ended.
done-signed-out = You are signed out.
done-organization-made = The organization is there.
done-organization-changed = Saved.
done-organization-deleted = The organization is deleted.
done-resource-changed = Saved.
done-resource-deleted = The API resource is deleted.
done-permission-added = The permission is added.
done-permission-deleted = The permission is deleted.
done-role-changed = Saved.
done-role-deleted = The role is deleted.
done-person-disabled = Shut out. All sessions ended.
done-person-enabled = Let in again.
done-operator-granted = This person is an operator now.
done-operator-revoked = This person is no operator any more.
done-signing-key-rotated = The next signing key signs now.
done-signing-key-withdrawn = The signing key is withdrawn.
done-secret-rotated = A new secret is made.
done-secret-retired = What nobody needs is dropped.
resource-make = Make API resource

## Organizations
organization = Organization
organization-make = Make organization
organization-lead = Keys, members and the audit log belong to an organization, and no organization sees another.
organizations-none = Keys belong to organizations: customers, teams or products. There is none yet.
organization-delete-empty = An organization whose keys are all revoked can be deleted.
organization-delete-records = The records of its keys and its members go with it. The audit log stays.
ceiling-everything = Everything

## People
person = Person
people-all = Everybody
people-waiting = Who waits for access
people-who = Show
people-none = Nobody has signed in yet.
people-wait =
    { $count ->
        [one] { $count } person signed in and belongs nowhere yet.
       *[other] { $count } people signed in and belong nowhere yet.
    }
people-waiting-show = Show who waits
person-waits = Waits for access
person-shut-out = Shut out
person-never-came = never
person-signs-in = Signs in by
person-access = Access
person-last-came = Last sign-in
person-join = Add to organization
person-shut = Shut out
person-shut-text = All sessions end now, and nobody signs in as this person any more.
person-shut-keys = Keys go on working. To stop them too, use “Stop all keys of this member” in each organization.
person-let-in = Let in again
person-let-in-text = This person can sign in again, with the same memberships as before.
operator-grant = Make operator
operator-grant-text = An operator sees and stops every key, and decides who else may.
operator-revoke = Take operator away
operator-revoke-text = From now on this person sees only the organizations where they are a member.
password-link = Link for a new password
password-link-make = Make link for a new password
password-link-text = For somebody who forgot the password. The link works once, within 24 hours. Until then the old password stays.

## API resources
identifier = Identifier
identifier-help = The audience of its tokens, such as https://payment.example.com/api. It never changes.
issuer = Issuer
jwks = JWK set
token-lifetime = Token lifetime
token-lifetime-help = In seconds, 30 to 3,600. A token that is checked offline outlives a revocation by at most this.
signing-alg = Signature
signing-alg-help = ES256 is understood by every library. RS256 is for services that know nothing else.
resources-lead = The APIs that keys and applications are traded for tokens of.
resources-none = An API resource is an API of yours that tokens are for. Make one with its permissions first.
resource-reserved = kagiya's own management API
resource-name-help = What people call it.
resource-permissions-help = One a line: the name, and behind a space what it lets do, such as “read:payment See payments”.
resource-no-permissions = Without a permission nobody can be given anything here. Add the first one below.
resource-made = The API resource is there. What comes next:
resource-delete = Delete API resource
permission-add = Add permission
permission-help = Such as read:payment. It never changes.
permission-delete = Delete permission
delete = Delete
delete-permission-keys =
    { $count ->
        [one] { $count } key loses it.
       *[other] { $count } keys lose it.
    }
delete-permission-now = The next token is without it, and so are all roles, organizations and exchange rules that name it.
delete-resource-now = No token is made for it any more, from now on. All its permissions go with it, and so do the exchange rules from and to it.
guide-resource-verify = Have your service check tokens by the JWK set at { $jwks }, with the issuer { $issuer } and the audience { $audience }.
guide-resource-scope = Then have it compare the claim “scope” with what a call needs, and answer 403 where it is missing.
guide-resource-role = Bundle its permissions in a role, so that members can give them to their keys: { $link }.
wrong-identifier = An absolute URL without query and fragment, at most 512 characters
wrong-permission = Not a name and a description: { $line }
wrong-scope = Without spaces and quotation marks
wrong-lifetime = A number from 30 to 3,600

## Roles
role = Role
role-make = Make role
role-made = The role is there. What comes next:
role-for = For
role-for-people = Members of organizations
role-for-applications = Machine-to-machine applications
role-change-text = What its holders and their keys may do follows at once.
role-delete = Delete role
role-delete-text = A role that nobody holds can be deleted.
roles-lead = Permissions under one name.
roles-none = A role lets members give its permissions to their keys. There is none yet.
guide-role-people = Give it to members: open an organization, Members, choose one and tick the role.
guide-role-applications = Give it to an application.
guide-role-change = Change it here whenever you like: all who hold it follow at once.

## Signing keys and secrets
security-lead = Tokens are signed with these keys. A new one is published before it signs, so that no verifier meets an unknown key.
signing-active = Signs
signing-next = Next
signing-retired = Retired
signing-withdrawn = Withdrawn
signing-rotate = Rotate now
signing-rotate-text = The next key of each algorithm signs from now on. Tokens that the old one signed stay good until they expire.
signing-withdraw = Withdraw signing key
withdraw = Withdraw
withdraw-now = The key leaves the JWK set now, for ever. Tokens that it signed are refused by whoever reads the set again.
withdraw-next = If it signs, the next key signs from now on, known to verifiers or not.
withdraw-when = Do this when others may have the private key. Otherwise rotate.
secrets = Secrets of this server
secrets-lead = What keys, cookies and records are protected with. Each can be replaced alone, and no key stops by it.
secret-for = For
secret-needed = Needed by
secret-announced = Announced
secret-current = Current
secret-retired = Retired
secret-leaked = Leaked
secret-replace = Replace
secret-replace-keys = Keys made with the old one go on working.
secret-replace-when = The new one is used when every server knows it.
secret-leaked-check = The present one leaked
secret-leaked-help = Then the new one is used at once.
secret-drop = Drop old ones
secret-drop-text = What was replaced and is needed by nothing any more goes for ever.
purpose-tag = Tags of keys
purpose-digest = Digests of keys
purpose-provider = Passwords at identity providers
purpose-sealing = Sealed records
purpose-cookies = Cookies of these pages
purpose-audit = Chain of the audit log

## Applications and exchange rules
applications = Applications
exchange-rules = Exchange rules
go-on = Continue
application = Application
applications-lead = Programs that act for themselves: they get access tokens with a secret or a key of their own.
applications-none = An application is a service that calls APIs in its own name, machine to machine. There is none here yet.
application-make = Make application
application-made = The application is there. What it needs stands below.
application-name-help = What it is, such as “nightly billing”.
application-of-deployment = The deployment’s own
application-roles-help = All that it may do. Tick only what it needs.
application-roles-edit = Change roles
application-no-roles = There is no role for applications yet, so it may do nothing. First: { $link }.
application-no-roles-ask = There is no role for applications that you may give, so it may do nothing yet. Ask an operator for one.
application-may-nothing = It has no role, so it gets no token yet.
application-more = Addresses, default resource, who acts for it
application-default = Default API resource
application-default-help = The one that is meant when a request names none.
application-may-act = Who may act for it
application-may-act-help = The id of the application (app_…) that its tokens name in “may_act”. Empty: whoever an exchange rule lets.
application-serves = API resources that it serves
application-serves-help = It may ask about the tokens of these (introspection).
application-change-text = It counts from now on, also for tokens that are asked about.
application-disabled = Disabled { $when }. It gets no token until it is enabled again.
application-disable = Disable application
application-disable-now = It gets no token from now on.
application-stop-tokens = Tokens that it has already stop at once where they are asked about, and elsewhere when they expire.
application-delete = Delete application
application-delete-now = It and all its secrets stop working now.
application-delete-users = These name it. Exchange rules go with it, “may_act” names nobody from then on:
client-id = Client id
token-endpoint = Token endpoint
client-auth = How it proves who it is
client-auth-how = It sends
client-auth-secret = Its secret, by Basic or in the body
client-auth-basic = Its secret, by Basic alone (client_secret_basic)
client-auth-post = Its secret, in the body alone (client_secret_post)
client-auth-jwt = An assertion that it signs with its own key (private_key_jwt)
client-jwks = Its public keys, a JWK set
client-jwks-help = For signed assertions alone. Never paste a private key here.
client-legacy = Its assertions may name the token endpoint as their audience
client-legacy-help = For older libraries. The audience should be the issuer.
client-secrets = Secrets
client-secrets-none = It has no secret, so it gets no token.
client-secret-add = Add secret
client-secret-add-text = The new secret is shown once, on the next page. The others go on working.
client-secret-add-then = Put it where it is used, then remove the old one: nothing stands still in between.
client-secret-made = The application’s secret
client-secret-once = Shown only now. Store it before you go on.
client-secret-of = Secret of “{ $name }”
client-secret-copy = Copy secret
client-secret-before = This secret was shown already
client-secret-before-text = A secret is shown once. If it was not stored, add another one to the application and remove this one.
client-secret-remove = Remove secret
client-secret-remove-which = It ends in { $hint }.
client-secret-remove-now = Whoever uses it gets no token from now on. The application’s other secrets go on working.
client-secret-remove-tokens = Tokens that were got with it live until they expire. To stop those too, disable the application.
client-use-store = Store the secret in a file that only its program can read: run { $command }, paste the secret, press Enter and Ctrl-D. Or set the variable KAGIYA_CLIENT_SECRET.
client-use-token = Get an access token with it, and send that to the API:
client-use-sign = Sign a JWT with the private key: “iss” and “sub” { $id }, “aud” { $issuer }, a new “jti”, and “exp” within a minute.
client-use-send = Send it to the token endpoint as “client_assertion”, with “client_assertion_type” { $type } and “grant_type” client_credentials.
rules-lead = Which application may trade whose tokens for what.
rules-none = An exchange rule lets a service that was called with a token get one for the next service, in the name of whoever called. There is none yet: nobody trades anybody’s token.
exchange-rule = Exchange rule
rule-make = Make exchange rule
rule-application-id = Application’s id
rule-no-application = A rule is for an application, and there is none yet.
rule-from = From tokens for
rule-from-help = The API resource that the application itself serves.
rule-to = To tokens for
rule-to-help = The API resource that it calls next.
rule-mode = Who is named
rule-mode-both = Both ways
rule-mode-delegation = The caller, and who acts
rule-mode-impersonation = The caller alone
rule-scopes = What the new token may permit
rule-scopes-help = Never more than is ticked here.
rule-requires = What the token must permit that is traded
rule-requires-help = All that is ticked. Nothing: any token of that resource will do.
rule-no-permissions = The API resource has no permission yet: there is nothing to give.
rule-must-hold = Only what the caller holds there too
rule-must-hold-help = Without this, the service gets for anybody what is ticked above.
rule-delegation = Tokens that name the caller and who acts for it (“act”)
rule-delegation-help = The next service and its logs see both.
rule-impersonation = Tokens that name the caller alone
rule-impersonation-help = The next service cannot tell that somebody acts for the caller.
rule-change-text = It counts from now on. Tokens already traded follow where they are asked about.
rule-delete = Delete exchange rule
rule-delete-which = From tokens for { $from } to tokens for { $to }.
rule-delete-now = The application trades no such token from now on.
rule-delete-tokens = Tokens that it traded stop at once where they are asked about, and elsewhere when they expire.
done-application-changed = Saved.
done-application-roles = Roles changed.
done-application-disabled = Disabled. The application gets no token from now on.
done-application-enabled = Enabled. The application gets tokens again.
done-application-deleted = The application is deleted.
done-client-secret-removed = The secret is removed.
done-exchange-rule-made = The exchange rule is there.
done-exchange-rule-changed = Saved.
done-exchange-rule-deleted = The exchange rule is deleted.
event-application-created = Application made
event-application-updated = Application changed
event-application-roles = Application’s roles changed
event-client-secret-added = Client secret added
event-client-secret-removed = Client secret removed
event-application-deleted = Application deleted
event-rule-created = Exchange rule made
event-rule-updated = Exchange rule changed
event-rule-deleted = Exchange rule deleted
event-token-exchanged = Token exchanged
event-token-refused = Token exchange refused
event-token-revoked = Token revoked
wrong-application-id = The id of an application: app_ and 26 letters and digits
wrong-jwks = A JWK set with 1 to 16 public keys: RSA from 2048 bits, P-256 or Ed25519, each with a name of its own
wrong-jwks-private = This holds a private key. Take it for lost, make another one, and paste its public half alone
wrong-no-mode = Tick one of the two at least
wrong-too-many-secrets = It has 10 secrets, the most there can be. Remove one that nobody needs
wrong-rule-exists = The application has a rule between these two resources already: change that one
application-may-now =
    Now it may use { $count ->
        [one] { $count } permission
       *[other] { $count } permissions
    }, as far as its organization may.
