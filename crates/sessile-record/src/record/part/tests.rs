use super::*;

#[test]
fn one_recording_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.mp4");
    let (part, lines) = PartFile::open(&path).unwrap();
    assert!(lines.is_empty());
    let busy = PartFile::open(&path).unwrap_err();
    assert!(matches!(busy, RecordError::Busy { .. }), "{busy}");
    drop(part);
    PartFile::open(&path).unwrap();
}

#[test]
fn a_journal_is_read_as_far_as_it_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.mp4");
    let (mut part, _) = PartFile::open(&path).unwrap();
    part.begin("one").unwrap();
    part.note("two\nthr").unwrap();
    drop(part);
    let (mut part, lines) = PartFile::open(&path).unwrap();
    assert_eq!(lines, ["one", "two"]);
    part.note("three\n").unwrap();
    drop(part);
    let (_, lines) = PartFile::open(&path).unwrap();
    assert_eq!(lines, ["one", "two", "three"]);
    let journal = beside(&path, ".part.journal");
    let whole = std::fs::read(&journal).unwrap();
    std::fs::write(&journal, [&whole[..], b"fo\xffur\nfive\n"].concat()).unwrap();
    let (_, lines) = PartFile::open(&path).unwrap();
    assert_eq!(lines, ["one", "two", "three"]);
    assert_eq!(std::fs::read(&journal).unwrap(), whole);
}

#[test]
fn a_machine_that_went_down_is_believed_what_was_on_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.mp4");
    let (mut part, _) = PartFile::open_at(&path, "monday").unwrap();
    part.begin("one").unwrap();
    part.note("two\n").unwrap();
    part.unsafe_bytes = safe::EVERY;
    let sync = part.sync_due().unwrap();
    assert!(part.sync_due().is_none(), "one at a time");
    part.note("three\n").unwrap();
    let done = sync.run();
    part.synced(&sync, done);
    drop((part, sync));
    let lines = |boot| PartFile::open_at(&path, boot).unwrap().1;
    assert_eq!(lines("monday"), ["one", "two", "three"]);
    assert_eq!(lines("tuesday"), ["one", "two"]);
    assert_eq!(lines("tuesday"), ["one", "two"]);
    assert_eq!(lines("wednesday"), ["one", "two"], "it was safe before");
}

#[test]
fn what_a_stop_has_left_outlives_the_machine() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.ts");
    let (mut part, _) = PartFile::open_at(&path, "monday").unwrap();
    part.begin("one").unwrap();
    part.append(b"whole").unwrap();
    part.note("two\n").unwrap();
    part.show(&path, Existing::Refuse).unwrap();
    // The next run writes to the same file, and the machine goes down.
    part.append(b" and more").unwrap();
    part.note("three\n").unwrap();
    drop(part);
    for boot in ["tuesday", "wednesday"] {
        let (mut part, lines) = PartFile::open_at(&path, boot).unwrap();
        assert_eq!(lines[..2], ["one", "two"]);
        assert!(lines[2..].iter().all(|line| cut::is_line(line)));
        part.cut_to_left(5).unwrap();
        assert_eq!(part.length().unwrap(), 5);
        assert_eq!(std::fs::read(&path).unwrap(), b"whole and more");
        let existing = cut::existing(&path, &path, Existing::Refuse);
        assert_eq!(existing, Existing::Replace, "it is known on {boot}");
    }
    assert_eq!(std::fs::read(beside(&path, ".part")).unwrap(), b"whole");
}

#[test]
fn a_film_that_is_known_no_more_is_found_before_anything_is_fetched() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.mp4");
    std::fs::write(&path, "made of the part").unwrap();
    let (mut part, _) = PartFile::open_at(&path, "monday").unwrap();
    part.begin("one").unwrap();
    part.append(b"part").unwrap();
    part.note(&cut::line(&path).unwrap()).unwrap();
    drop(part);
    let open = || PartFile::open_own(&path, Existing::Refuse, |lines| lines == ["one"]);
    assert_eq!(
        cut::existing(&path, &path, Existing::Refuse),
        Existing::Replace
    );
    let taken = open().unwrap_err();
    assert!(matches!(taken, RecordError::Exists { .. }), "{taken}");
}

#[test]
fn bytes_that_never_came_to_the_disk_are_not_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.ts");
    let (mut part, _) = PartFile::open_at(&path, "monday").unwrap();
    part.begin("one").unwrap();
    part.note("two\n").unwrap();
    part.note_safe().unwrap();
    part.unsafe_bytes = safe::EVERY;
    part.note("three\n").unwrap();
    let sync = part.sync_due().unwrap();
    part.synced(&sync, Err(io::Error::from_raw_os_error(5)));
    part.unsafe_bytes = safe::EVERY;
    assert!(part.sync_due().is_none());
    part.note("four\n").unwrap_err();
    part.note_safe().unwrap_err();
    let failed = part.finish(&path, Existing::Refuse).unwrap_err();
    assert!(failed.to_string().contains("os error 5"), "{failed}");
    drop((part, sync));
    let (_, lines) = PartFile::open_at(&path, "monday").unwrap();
    assert_eq!(lines, ["one", "two"]);
}

#[test]
fn what_is_brought_to_the_disk_of_an_earlier_state_says_nothing_of_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.mp4");
    let (mut part, _) = PartFile::open_at(&path, "monday").unwrap();
    part.begin("one").unwrap();
    part.note("a long line of the first state\n").unwrap();
    part.unsafe_bytes = safe::EVERY;
    let sync = part.sync_due().unwrap();
    part.begin("two").unwrap();
    part.note("a long line of the second state\n").unwrap();
    part.synced(&sync, sync.run());
    drop((part, sync));
    let (_, lines) = PartFile::open_at(&path, "tuesday").unwrap();
    assert_eq!(lines, ["two"]);
}

#[test]
fn what_another_recording_has_left_is_put_aside() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.mp4");
    let is_own = |own: &'static str| move |lines: &[String]| lines == [own];
    for (index, header) in ["one", "two", "three"].into_iter().enumerate() {
        let opened = PartFile::open_own(&path, Existing::Refuse, is_own(header));
        let (mut part, lines, aside) = opened.unwrap();
        assert!(lines.is_empty());
        let expected = (index > 0).then(|| folder.path().join(format!("a.mp4.part.old-{index}")));
        assert_eq!(aside, expected);
        part.begin(header).unwrap();
        part.append(header.as_bytes()).unwrap();
    }
    let opened = PartFile::open_own(&path, Existing::Refuse, is_own("three"));
    let (_, lines, aside) = opened.unwrap();
    assert_eq!((lines, aside), (vec!["three".to_owned()], None));
    std::fs::write(&path, "its film").unwrap();
    let taken = PartFile::open_own(&path, Existing::Refuse, is_own("four")).unwrap_err();
    assert!(matches!(taken, RecordError::Exists { .. }), "{taken}");
    let old = |end: &str| std::fs::read(beside(&path, end)).unwrap();
    assert_eq!(old(".part.old-1"), b"one");
    assert!(old(".part.old-2.journal").starts_with(b"two\n"));
}

#[test]
fn a_file_that_is_there_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.mp4");
    std::fs::write(&path, "mine").unwrap();
    let (mut part, _) = PartFile::open(&path).unwrap();
    part.append(b"other").unwrap();
    let refused = part.finish(&path, Existing::Refuse).unwrap_err();
    assert!(matches!(refused, RecordError::Exists { .. }), "{refused}");
    assert_eq!(std::fs::read(&path).unwrap(), b"mine");
    drop(part);
    let (mut part, _) = PartFile::open(&path).unwrap();
    part.finish(&path, Existing::Replace).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"other");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}
