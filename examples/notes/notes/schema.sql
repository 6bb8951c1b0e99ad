create table if not exists notes (
    id integer primary key autoincrement,
    title text not null,
    body text not null,
    tags text not null,  -- a JSON array
    version integer not null default 1,
    created_at text not null,
    updated_at text not null
) strict;

create index if not exists notes_by_time on notes (updated_at desc, id desc);

create table if not exists attachments (
    id integer primary key autoincrement,
    note_id integer not null references notes (id) on delete cascade,
    name text not null,
    content_type text not null,
    size_bytes integer not null,
    words text,  -- what can be searched: null until it was read, empty where there is nothing
    created_at text not null
) strict;

create index if not exists attachments_by_note on attachments (note_id);

-- The search knows a note by its id. Triggers keep it true, so that no writer can forget it.
create virtual table if not exists search using fts5 (title, body, files, tokenize = 'unicode61 remove_diacritics 2');

create trigger if not exists note_added after insert on notes begin
    insert into search (rowid, title, body, files) values (new.id, new.title, new.body, '');
end;

create trigger if not exists note_changed after update of title, body on notes begin
    update search set title = new.title, body = new.body where rowid = new.id;
end;

create trigger if not exists note_removed after delete on notes begin
    delete from search where rowid = old.id;
end;

create trigger if not exists attachment_added after insert on attachments begin
    update search set files = files || ' ' || new.name where rowid = new.note_id;
end;

create trigger if not exists attachment_read after update of words on attachments begin
    update search
    set files = (select group_concat(name || ' ' || coalesce(words, ''), ' ') from attachments where note_id = new.note_id)
    where rowid = new.note_id;
end;

create trigger if not exists attachment_removed after delete on attachments begin
    update search
    set files = coalesce(
        (select group_concat(name || ' ' || coalesce(words, ''), ' ') from attachments where note_id = old.note_id), ''
    )
    where rowid = old.note_id;
end;
