use super::page::Page; pub fn error_messages(_p:&Page,_s:&[&str])->Vec<String>{vec![]}
