# Settings of a desk for tests. RT reads this file by its variable RT_SITE_CONFIG; DESK_FOLDER is where the desk keeps everything.
my $folder = $ENV{DESK_FOLDER} // die 'DESK_FOLDER is not set';
Set($rtname, 'night.desk.example');
Set($Organization, 'night.desk.example');
Set($Timezone, 'America/St_Johns');    # of the pages; the API answers in UTC
Set($WebDomain, '127.0.0.1');
Set($WebPort, $ENV{DESK_PORT});
Set($WebPath, '');
Set($DatabaseType, 'SQLite');
Set($DatabaseName, "$folder/rt.sqlite");
Set($MailCommand, 'testfile');
Set($LogToSTDERR, 'warning');
Set($LogToSyslog, undef);
Set($LogToFile, undef);
Set($CorrespondAddress, 'help@desk.example');
Set($CommentAddress, 'notes@desk.example');
1;
