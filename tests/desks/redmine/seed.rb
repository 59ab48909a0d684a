# Run by Redmine itself: a project with two agents and a customer, keys for all of them, and fields that breachwatch writes.
Setting.rest_api_enabled = '1'
Setting.notified_events = []
agents = Role.find_by!(name: 'Developer')
agents.add_permission!(:add_issues, :edit_issues, :add_issue_notes, :set_notes_private, :view_private_notes, :view_issues, :delete_issues)
customers = Role.find_by!(name: 'Reporter')
customers.add_permission!(:add_issues, :add_issue_notes, :view_issues)
desk = Project.create!(name: 'Night desk', identifier: 'night-desk', is_public: false, trackers: Tracker.all)
{ 'ines' => agents, 'otto' => agents, 'breachwatch' => agents, 'kunde' => customers }.each do |login, role|
  user = User.new(firstname: login.capitalize, lastname: 'Person', mail: "#{login}@desk.example", language: 'en')
  user.login = login
  user.password = user.password_confirmation = "#{login}-password-1"
  user.save!
  Member.create!(project: desk, principal: user, roles: [role])
  Token.where(user_id: user.id, action: 'api').delete_all
  Token.create!(user: user, action: 'api').update_column(:value, (login[0] * 40))
end
['SLA due', 'SLA state'].each do |name|
  IssueCustomField.create!(name: name, field_format: 'string', is_for_all: true, visible: true, tracker_ids: Tracker.pluck(:id))
end
