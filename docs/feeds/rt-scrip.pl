# A scrip for Request Tracker 5: posts every transaction of a ticket to breachwatch, signed in the form of Standard Webhooks.
# Load it once:  rt-setup-database --action insert --datafile rt-scrip.pl
#
# Environment of the RT server:
#   BREACHWATCH_FEED_URL     such as https://feeds.example.com/feeds/desk; without it nothing is sent
#   BREACHWATCH_FEED_SECRET  whsec_ and base64, the same as the gateway's
# The contract is the custom field `Contract`.
our @Scrips = ({
    Queue            => 0,
    Description      => 'breachwatch: post every transaction',
    ScripCondition   => 'On Transaction',
    ScripAction      => 'User Defined',
    Template         => 'Blank',
    CustomPrepareCode => 'return $self->TransactionObj->ObjectType eq "RT::Ticket";',
    CustomCommitCode => <<'PERL',
my $url = $ENV{BREACHWATCH_FEED_URL} or return 1;
require Digest::SHA; require JSON; require LWP::UserAgent; require MIME::Base64;
my ($transaction, $ticket) = ($self->TransactionObj, $self->TicketObj);
my $creator = $transaction->CreatorObj;
my $custom_field = '';
if ($transaction->Type eq 'CustomField') {
    my $field = RT::CustomField->new(RT->SystemUser);
    $field->Load($transaction->Field);
    $custom_field = $field->Name;
}
my $truth = sub { $_[0] ? JSON::true() : JSON::false() };
my $body = JSON->new->utf8->canonical->encode({
    transaction  => $transaction->Id + 0,
    type         => $transaction->Type,
    field        => $transaction->Field,
    custom_field => $custom_field || undef,
    old          => $transaction->OldValue,
    new          => $transaction->NewValue,
    created      => $transaction->CreatedObj->W3CDTF(Timezone => 'UTC'),
    ticket       => $transaction->ObjectId + 0,    # after a merge, TicketObj is the ticket that continues
    effective    => $ticket->Id + 0,
    creator      => {
        privileged => $truth->($creator->Privileged),
        system     => $truth->($creator->Id == RT->SystemUser->Id),
        requestor  => $truth->($ticket->IsRequestor($creator->PrincipalId)),
    },
    state => {
        status   => $ticket->Status,
        queue    => $ticket->QueueObj->Name,
        owner_id => '' . $ticket->Owner,
        priority => $ticket->Priority + 0,
        contract => $ticket->FirstCustomFieldValue('Contract'),
    },
});
my ($id, $now) = ('rt-txn-' . $transaction->Id, time);
my @signed;
if (my $secret = $ENV{BREACHWATCH_FEED_SECRET}) {
    $secret =~ s/^whsec_//;
    my $digest = Digest::SHA::hmac_sha256("$id.$now.$body", MIME::Base64::decode_base64($secret));
    my $signature = 'v1,' . MIME::Base64::encode_base64($digest, '');
    @signed = ('webhook-id' => $id, 'webhook-timestamp' => $now, 'webhook-signature' => $signature);
}
my $answer = LWP::UserAgent->new(timeout => 3)->post($url, 'Content-Type' => 'application/json', @signed, Content => $body);
RT->Logger->error("breachwatch: transaction $id: " . $answer->status_line) unless $answer->is_success;
return 1;
PERL
});
