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
    part.synced(&sync, done).unwrap();
    drop((part, sync));
    let lines = |boot| PartFile::open_at(&path, boot).unwrap().1;
    assert_eq!(lines("monday"), ["one", "two", "three"]);
    assert_eq!(lines("tuesday"), ["one", "two"]);
    assert_eq!(lines("tuesday"), ["one", "two"]);
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
    let (part, _) = PartFile::open(&path).unwrap();
    part.finish(&path, Existing::Replace).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"other");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}
